#include "cli/option_tables.h"

/// What is to be run, and how.
namespace slipway::cli {

namespace {

constexpr OptionRow kBackend = {.names = "--backend",
                                .arity = Arity::one,
                                .value = "NAME",
                                .doc = "what runs the sandboxes",
                                .completes = Completes::choices,
                                .choices = "native|docker|fake",
                                .setting = "backend"};

constexpr OptionRow kFileRows[] = {
    {.names = "FILE",
     .arity = Arity::one,
     .value = "FILE",
     .doc = "a workflow or job file; without it, every workflow in .slipway/ that the event would start",
     .completes = Completes::file},
    {.names = "--workflow-file",
     .arity = Arity::one,
     .value = "FILE",
     .doc = "the same as FILE",
     .completes = Completes::file},
};

constexpr OptionRow kFileFlagRows[] = {
    {.names = "--workflow-file",
     .arity = Arity::one,
     .value = "FILE",
     .doc = "the workflow or job file",
     .completes = Completes::file},
};

constexpr OptionRow kSelectionRows[] = {
    {.names = "--job",
     .arity = Arity::many,
     .value = "NAME",
     .doc = "only this job and what it depends on",
     .completes = Completes::job},
    {.names = "--no-deps", .doc = "with --job: without what it depends on"},
    {.names = "--event",
     .arity = Arity::one,
     .value = "KIND",
     .doc = "the event to act on (default push)",
     .completes = Completes::choices,
     .choices = "push|pull_request|tag|manual|schedule|api"},
    {.names = "--event-file",
     .arity = Arity::one,
     .value = "FILE",
     .doc = "the event, as JSON (docs/events.md)",
     .completes = Completes::file},
    {.names = "--commit", .arity = Arity::one, .value = "REV", .doc = "a commit, not the working tree as it is"},
    {.names = "--base", .arity = Arity::one, .value = "REV", .doc = "the revision that path filters compare with"},
    {.names = "--accept-risk",
     .arity = Arity::one,
     .value = "RISK",
     .doc = "let a fork's source run beside secrets (docs/job-code.md)",
     .completes = Completes::choices,
     .choices = "secrets-with-source"},
    {.names = "-e,--env", .arity = Arity::many, .value = "K=V", .doc = "set a variable in every job"},
    {.names = "-i,--input", .arity = Arity::many, .value = "K=V", .doc = "set an input of the workflow"},
    {.names = "--matrix", .arity = Arity::many, .value = "K=V", .doc = "only the matrix instances with this value"},
    kBackend,
    {.names = "--image",
     .arity = Arity::one,
     .value = "IMAGE",
     .doc = "override every job's image: host, a directory or a name",
     .completes = Completes::directory,
     .setting = "image"},
    {.names = "--pull",
     .arity = Arity::one,
     .value = "WHEN",
     .doc = "when registries are asked for images",
     .completes = Completes::choices,
     .choices = "missing|always|never",
     .setting = "images.pull"},
    {.names = "--require-limits", .doc = "fail where a limit cannot be held", .setting = "require_limits"},
    {.names = "--source-url",
     .arity = Arity::one,
     .value = "URL",
     .doc = "the code to run on: git, hg, svn, an archive, a directory, S3 (docs/sources.md)"},
    {.names = "--source-ref",
     .arity = Arity::one,
     .value = "REV",
     .doc = "with --source-url: branch, tag or revision of it"},
    {.names = "--git-url", .arity = Arity::one, .value = "URL", .doc = "with --job-command: the repository"},
    {.names = "--git-ref", .arity = Arity::one, .value = "REF", .doc = "with --job-command: what to check out"},
    {.names = "--job-command", .arity = Arity::one, .value = "TEXT", .doc = "a job without a file: this script"},
};

constexpr OptionRow kRegistryRows[] = {
    {.names = "--registry",
     .arity = Arity::one,
     .value = "FILE",
     .doc = "the jobs of a registry's project, not of files (docs/dialects.md)",
     .completes = Completes::file},
    {.names = "--project",
     .arity = Arity::one,
     .value = "NAME",
     .doc = "with --registry: which one; without it, that of this checkout's remote"},
};

constexpr OptionRow kJobFileRows[] = {
    {.names = "FILE",
     .arity = Arity::one,
     .value = "FILE",
     .doc = "a file with one job, in our language or another's (docs/dialects.md)",
     .completes = Completes::file,
     .required = true},
    {.names = "--secrets-file",
     .arity = Arity::one,
     .value = "FILE",
     .doc = "the same as --secret-file",
     .completes = Completes::file},
    {.names = "--work-dir",
     .arity = Arity::one,
     .value = "DIR",
     .doc = "the directory that the job gets as its source (default: this project)",
     .completes = Completes::directory},
    {.names = "-e,--env", .arity = Arity::many, .value = "K=V", .doc = "set a variable"},
    kBackend,
    {.names = "--image",
     .arity = Arity::one,
     .value = "IMAGE",
     .doc = "override the job's image: host, a directory or a name",
     .completes = Completes::directory,
     .setting = "image"},
};

constexpr OptionRow kConvertRows[] = {
    {.names = "FILE",
     .arity = Arity::many,
     .value = "FILE",
     .doc = "files of another dialect; without any, all below .reactorcide/",
     .completes = Completes::file},
    {.names = "--write", .doc = "write them into .slipway/ of this project; what is there stays"},
    {.names = "-o,--output",
     .arity = Arity::one,
     .value = "DIR",
     .doc = "write them into DIR",
     .completes = Completes::directory},
    {.names = "--project", .arity = Arity::one, .value = "NAME", .doc = "of a registry: only this project"},
};

constexpr OptionRow kSecretsRows[] = {
    {.names = "-s,--secret",
     .arity = Arity::many,
     .value = "NAME",
     .doc = "a secret: from the environment, or asked for without echo"},
    {.names = "--secret-file",
     .arity = Arity::one,
     .value = "FILE",
     .doc = "secrets from a dotenv or JSON file",
     .completes = Completes::file},
};

constexpr OptionRow kRunRows[] = {
    {.names = "-j,--max-parallel",
     .arity = Arity::one,
     .value = "N",
     .doc = "jobs at a time",
     .setting = "max_parallel"},
    {.names = "--log-cap",
     .arity = Arity::one,
     .value = "SIZE",
     .doc = "how much of a step's output is kept (64MiB)",
     .setting = "log_cap"},
    {.names = "--keep",
     .doc = "keep each job's /job/src, however it ends, as the artifact workspace-JOB",
     .setting = "keep"},
    {.names = "--follow",
     .doc = "what jobs ask for becomes part of the run (docs/triggers.md)",
     .setting = "triggers.follow"},
    {.names = "--allow-stdout-triggers",
     .doc = "jobs may also ask by lines of output, ::slipway-trigger::JSON",
     .setting = "triggers.allow_stdout"},
    {.names = "--break",
     .arity = Arity::many,
     .value = "WHERE",
     .doc = "hold jobs for you there: on-failure, STEP (after it) or before:STEP (docs/debugging.md)",
     .completes = Completes::breakpoint},
    {.names = "--hold",
     .arity = Arity::one,
     .value = "TIME",
     .doc = "with --break: how long a job is held at most (1h)",
     .setting = "hold"},
    {.names = "-n,--dry-run", .doc = "show what would run, and stop"},
    {.names = "--print-config", .doc = "print every setting as it would hold, and stop"},
};

constexpr OptionRow kLintRows[] = {{.names = "FILE",
                                    .arity = Arity::many,
                                    .value = "FILE",
                                    .doc = "files to check; without any, all below .slipway/",
                                    .completes = Completes::file}};

constexpr OptionRow kPlanRows[] = {
    {.names = "--resolved", .doc = "every job with all its defaults, and where each came from"}};

constexpr OptionRow kExplainRows[] = {
    {.names = "JOB",
     .arity = Arity::one,
     .value = "JOB",
     .doc = "the job to explain",
     .completes = Completes::job,
     .required = true},
    {.names = "FILE",
     .arity = Arity::one,
     .value = "FILE",
     .doc = "the file it is in; without it, all below .slipway/",
     .completes = Completes::file},
    {.names = "--run",
     .arity = Arity::one,
     .value = "RUN",
     .doc = "as it was decided in this run",
     .completes = Completes::run},
};

constexpr OptionRow kGraphRows[] = {{.names = "--format",
                                     .arity = Arity::one,
                                     .value = "FORMAT",
                                     .doc = "text (default), dot or json",
                                     .completes = Completes::choices,
                                     .choices = "text|dot|json"}};

}  // namespace

constinit const std::span<const OptionRow> kFileOptions = kFileRows;
constinit const std::span<const OptionRow> kFileFlagOptions = kFileFlagRows;
constinit const std::span<const OptionRow> kSelectionOptions = kSelectionRows;
constinit const std::span<const OptionRow> kRegistryOptions = kRegistryRows;
constinit const std::span<const OptionRow> kJobFileOptions = kJobFileRows;
constinit const std::span<const OptionRow> kConvertOptions = kConvertRows;
constinit const std::span<const OptionRow> kSecretOptions = kSecretsRows;
constinit const std::span<const OptionRow> kRunOptions = kRunRows;
constinit const std::span<const OptionRow> kLintOptions = kLintRows;
constinit const std::span<const OptionRow> kPlanOptions = kPlanRows;
constinit const std::span<const OptionRow> kExplainOptions = kExplainRows;
constinit const std::span<const OptionRow> kGraphOptions = kGraphRows;
constinit const std::span<const OptionRow> kDoctorOptions(&kBackend, 1);

}  // namespace slipway::cli
