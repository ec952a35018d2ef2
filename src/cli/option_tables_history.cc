#include "cli/option_tables.h"

/// What was run, what runs now, and what lies here.
namespace slipway::cli {

namespace {

constexpr OptionRow kRunsListRows[] = {
    {.names = "-n,--limit", .arity = Arity::one, .value = "N", .doc = "at most N runs (default 20)"},
    {.names = "--workflow", .arity = Arity::one, .value = "NAME", .doc = "only runs of this workflow"},
    {.names = "--outcome",
     .arity = Arity::one,
     .value = "OUTCOME",
     .doc = "only runs that ended so",
     .completes = Completes::choices,
     .choices = "succeeded|failed|timed_out|cancelled|out_of_memory|infra_failed|rejected|skipped"},
    {.names = "--all-projects", .doc = "of every project, not only of this one"},
};

constexpr OptionRow kRun1Rows[] = {{.names = "RUN",
                                    .arity = Arity::one,
                                    .value = "RUN",
                                    .doc = "an id or its beginning, a number, or `latest` (default)",
                                    .completes = Completes::run}};

constexpr OptionRow kRunsRemoveRows[] = {
    {.names = "RUN",
     .arity = Arity::many,
     .value = "RUN",
     .doc = "ids or their beginnings, or numbers",
     .completes = Completes::run},
    {.names = "--older-than", .arity = Arity::one, .value = "AGE", .doc = "every run that ended before (30d)"},
    {.names = "--all", .doc = "every run of this project that has ended"},
    {.names = "--all-projects", .doc = "with --all or --older-than: of every project"},
    {.names = "-y,--yes", .doc = "do not ask"},
};

constexpr OptionRow kRunsArtifactsRows[] = {
    {.names = "NAME", .arity = Arity::one, .value = "NAME", .doc = "the artifact; without it, they are listed"},
    {.names = "-o,--output",
     .arity = Arity::one,
     .value = "DIR",
     .doc = "unpack it here (default ./NAME)",
     .completes = Completes::directory},
};

constexpr OptionRow kRunsTestsRows[] = {
    {.names = "--all", .doc = "every test, not only what is to be known"},
    {.names = "--failed", .doc = "only those that failed"},
    {.names = "--flaky", .doc = "only those that pass and fail without a cause"},
    {.names = "--slowest", .doc = "the 20 that took longest"},
};

constexpr OptionRow kRunsReportRows[] = {
    {.names = "-o,--output",
     .arity = Arity::one,
     .value = "FILE",
     .doc = "write it here; `-` is standard output (default slipway-RUN.html)",
     .completes = Completes::file},
};

constexpr OptionRow kLogsRows[] = {
    {.names = "RUN",
     .arity = Arity::one,
     .value = "RUN",
     .doc = "an id or its beginning, a number, or `latest` (default)",
     .completes = Completes::run},
    {.names = "JOB", .arity = Arity::one, .value = "JOB", .doc = "only this job", .completes = Completes::job},
    {.names = "--step", .arity = Arity::one, .value = "NAME", .doc = "only this step"},
    {.names = "--service",
     .arity = Arity::one,
     .value = "NAME",
     .doc = "what this service of the job printed, and not the job"},
    {.names = "--attempt", .arity = Arity::one, .value = "N", .doc = "this try, not the last"},
    {.names = "--failed", .doc = "only steps that failed"},
    {.names = "--group", .arity = Arity::one, .value = "NAME", .doc = "only the lines of this group"},
    {.names = "-g,--grep",
     .arity = Arity::one,
     .value = "PATTERN",
     .doc = "only lines that match (extended regular expression)"},
    {.names = "--ignore-case", .doc = "with --grep: upper and lower case are the same"},
    {.names = "--since-line",
     .arity = Arity::one,
     .value = "N",
     .doc = "from line N of each job on; with --step, of the step"},
    {.names = "--tail", .arity = Arity::one, .value = "N", .doc = "only the last N lines of each job"},
    {.names = "--raw", .doc = "marks of groups and annotations as they were printed"},
    {.names = "-t,--timestamps", .doc = "the time before each line"},
    {.names = "-f,--follow", .doc = "go on as the run does, until it ends"},
};

constexpr OptionRow kRerunRows[] = {
    {.names = "RUN",
     .arity = Arity::one,
     .value = "RUN",
     .doc = "an id or its beginning, a number, or `latest` (default)",
     .completes = Completes::run},
    {.names = "JOB",
     .arity = Arity::many,
     .value = "JOB",
     .doc = "run these again and what depends on them; the rest stays as it was",
     .completes = Completes::job},
    {.names = "--failed", .doc = "run again what did not succeed, and what depends on it; the rest stays as it was"},
    {.names = "--from",
     .arity = Arity::one,
     .value = "STEP",
     .doc = "run its job again from STEP on, with the workspace that --keep kept",
     .completes = Completes::step},
};

constexpr OptionRow kShellRows[] = {
    {.names = "RUN",
     .arity = Arity::one,
     .value = "RUN",
     .doc = "an id or its beginning, a number, or `latest` (default)",
     .completes = Completes::run},
    {.names = "JOB", .arity = Arity::one, .value = "JOB", .doc = "of several", .completes = Completes::job},
};

constexpr OptionRow kLiveRows[] = {
    {.names = "RUN",
     .arity = Arity::one,
     .value = "RUN",
     .doc = "of several that run now: an id or its beginning, a number, `latest`; a job's name will do too",
     .completes = Completes::live},
    {.names = "JOB",
     .arity = Arity::one,
     .value = "JOB",
     .doc = "of several jobs of it that run now",
     .completes = Completes::job},
};

constexpr OptionRow kAttachCommandRows[] = {
    {.names = kCommandBehindDashes,
     .arity = Arity::many,
     .value = "COMMAND",
     .doc = "behind `--`: run this instead of a shell; its input and output pass through"},
    {.names = "-t,--tty", .doc = "a terminal for COMMAND too"},
};

constexpr OptionRow kAttachRows[] = {
    {.names = "-l,--list", .doc = "only list the jobs that run now, and where they are held"},
};

constexpr OptionRow kImagesRemoveRows[] = {{.names = "IMAGE",
                                            .arity = Arity::many,
                                            .value = "IMAGE",
                                            .doc = "names, ids or their beginnings",
                                            .completes = Completes::image,
                                            .required = true}};

constexpr OptionRow kImagesPruneRows[] = {{.names = "--all", .doc = "every image that no run uses now"}};

}  // namespace

constinit const std::span<const OptionRow> kRunsListOptions = kRunsListRows;
constinit const std::span<const OptionRow> kRunOfHistoryOptions = kRun1Rows;
constinit const std::span<const OptionRow> kRunsRemoveOptions = kRunsRemoveRows;
constinit const std::span<const OptionRow> kRunsArtifactsOptions = kRunsArtifactsRows;
constinit const std::span<const OptionRow> kRunsTestsOptions = kRunsTestsRows;
constinit const std::span<const OptionRow> kRunsReportOptions = kRunsReportRows;
constinit const std::span<const OptionRow> kLogsOptions = kLogsRows;
constinit const std::span<const OptionRow> kRerunOptions = kRerunRows;
constinit const std::span<const OptionRow> kShellOptions = kShellRows;
constinit const std::span<const OptionRow> kLiveOptions = kLiveRows;
constinit const std::span<const OptionRow> kAttachCommandOptions = kAttachCommandRows;
constinit const std::span<const OptionRow> kAttachOptions = kAttachRows;
constinit const std::span<const OptionRow> kImagesRemoveOptions = kImagesRemoveRows;
constinit const std::span<const OptionRow> kImagesPruneOptions = kImagesPruneRows;

}  // namespace slipway::cli
