#include "cli/command_table.h"

#include "base/text.h"

namespace slipway::cli {

namespace {

constexpr OptionRow kRoot[] = {
    {.names = "--version", .doc = "print the version"},
    {.names = "--print-config", .doc = "print every setting, its value and where that comes from"},
    {.names = "--json", .doc = "print JSON (with --print-config)"},
};

constexpr OptionRow kCommon[] = {
    {.names = "-C,--directory",
     .arity = Arity::one,
     .value = "DIR",
     .doc = "work as if started in DIR",
     .completes = Completes::directory},
    {.names = "--state-dir",
     .arity = Arity::one,
     .value = "DIR",
     .doc = "where runs, caches and artifacts lie",
     .completes = Completes::directory,
     .setting = "state_dir"},
    {.names = "--color",
     .arity = Arity::one,
     .value = "WHEN",
     .doc = "colours: auto, always or never",
     .completes = Completes::choices,
     .choices = "auto|always|never",
     .setting = "color"},
    {.names = "-q,--quiet", .doc = "only what went wrong"},
    {.names = "-v,--verbose", .doc = "also what Slipway itself does"},
    {.names = "--no-input", .doc = "never ask; what would be asked for is an error"},
    {.names = "-h,--help", .doc = "show this help"},
};

constexpr OptionRow kJson[] = {{.names = "--json", .doc = "print JSON for programs (docs/json.md)"}};

constexpr OptionRow kFile[] = {
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

constexpr OptionRow kFileFlag[] = {
    {.names = "--workflow-file",
     .arity = Arity::one,
     .value = "FILE",
     .doc = "the workflow or job file",
     .completes = Completes::file},
};

constexpr OptionRow kBackend = {.names = "--backend",
                                .arity = Arity::one,
                                .value = "NAME",
                                .doc = "what runs the sandboxes",
                                .completes = Completes::choices,
                                .choices = "native|docker|fake",
                                .setting = "backend"};
constexpr OptionRow kDoctor[] = {kBackend};

constexpr OptionRow kSelection[] = {
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

constexpr OptionRow kRegistry[] = {
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

constexpr OptionRow kJobFile[] = {
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
    {.names = "--backend",
     .arity = Arity::one,
     .value = "NAME",
     .doc = "what runs the sandboxes",
     .completes = Completes::choices,
     .choices = "native|docker|fake",
     .setting = "backend"},
    {.names = "--image",
     .arity = Arity::one,
     .value = "IMAGE",
     .doc = "override the job's image: host, a directory or a name",
     .completes = Completes::directory,
     .setting = "image"},
};

constexpr OptionRow kConvert[] = {
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

constexpr OptionRow kSecrets[] = {
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

constexpr OptionRow kRun[] = {
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
     .completes = Completes::step},
    {.names = "--hold",
     .arity = Arity::one,
     .value = "TIME",
     .doc = "with --break: how long a job is held at most (1h)",
     .setting = "hold"},
    {.names = "-n,--dry-run", .doc = "show what would run, and stop"},
    {.names = "--print-config", .doc = "print every setting as it would hold, and stop"},
};

constexpr OptionRow kLint[] = {{.names = "FILE",
                                .arity = Arity::many,
                                .value = "FILE",
                                .doc = "files to check; without any, all below .slipway/",
                                .completes = Completes::file}};
constexpr OptionRow kPlan[] = {
    {.names = "--resolved", .doc = "every job with all its defaults, and where each came from"}};
constexpr OptionRow kExplain[] = {
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
constexpr OptionRow kGraph[] = {{.names = "--format",
                                 .arity = Arity::one,
                                 .value = "FORMAT",
                                 .doc = "text (default), dot or json",
                                 .completes = Completes::choices,
                                 .choices = "text|dot|json"}};
constexpr OptionRow kCompletion[] = {
    {.names = "SHELL",
     .arity = Arity::one,
     .value = "SHELL",
     .doc = "bash, zsh or fish",
     .completes = Completes::choices,
     .choices = "bash|zsh|fish"},
    {.names = "--words",
     .arity = Arity::one,
     .value = "KIND",
     .doc = "what the scripts ask for, one a line: runs, live, jobs, steps, images or codes",
     .completes = Completes::choices,
     .choices = "runs|live|jobs|steps|images|codes"}};
constexpr OptionRow kHelp[] = {{.names = "TOPIC",
                                .arity = Arity::many,
                                .value = "CODE|COMMAND",
                                .doc = "an error's code (E012) or a command",
                                .completes = Completes::code}};
constexpr OptionRow kRunsList[] = {
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
constexpr OptionRow kRun1[] = {{.names = "RUN",
                                .arity = Arity::one,
                                .value = "RUN",
                                .doc = "an id or its beginning, a number, or `latest` (default)",
                                .completes = Completes::run}};
constexpr OptionRow kRunsRemove[] = {
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
constexpr OptionRow kRunsArtifacts[] = {
    {.names = "NAME", .arity = Arity::one, .value = "NAME", .doc = "the artifact; without it, they are listed"},
    {.names = "-o,--output",
     .arity = Arity::one,
     .value = "DIR",
     .doc = "unpack it here (default ./NAME)",
     .completes = Completes::directory},
};
constexpr OptionRow kRunsTests[] = {
    {.names = "--all", .doc = "every test, not only what is to be known"},
    {.names = "--failed", .doc = "only those that failed"},
    {.names = "--flaky", .doc = "only those that pass and fail without a cause"},
    {.names = "--slowest", .doc = "the 20 that took longest"},
};
constexpr OptionRow kRunsReport[] = {
    {.names = "-o,--output",
     .arity = Arity::one,
     .value = "FILE",
     .doc = "write it here; `-` is standard output (default slipway-RUN.html)",
     .completes = Completes::file},
};
constexpr OptionRow kImagesRemove[] = {{.names = "IMAGE",
                                        .arity = Arity::many,
                                        .value = "IMAGE",
                                        .doc = "names, ids or their beginnings",
                                        .completes = Completes::image,
                                        .required = true}};
constexpr OptionRow kImagesPrune[] = {{.names = "--all", .doc = "every image that no run uses now"}};
constexpr OptionRow kLogs[] = {
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

constexpr OptionRow kRerun[] = {
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
constexpr OptionRow kShell[] = {
    {.names = "RUN",
     .arity = Arity::one,
     .value = "RUN",
     .doc = "an id or its beginning, a number, or `latest` (default)",
     .completes = Completes::run},
    {.names = "JOB", .arity = Arity::one, .value = "JOB", .doc = "of several", .completes = Completes::job},
};
constexpr OptionRow kLive[] = {
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
constexpr OptionRow kAttachCommand[] = {
    {.names = kCommandBehindDashes,
     .arity = Arity::many,
     .value = "COMMAND",
     .doc = "behind `--`: run this instead of a shell; its input and output pass through"},
    {.names = "-t,--tty", .doc = "a terminal for COMMAND too"},
};
constexpr OptionRow kAttach[] = {
    {.names = "-l,--list", .doc = "only list the jobs that run now, and where they are held"},
};

std::vector<CommandRow> make_rows() {
  return {
      {"run",
       "run a workflow or a job here, in sandboxes",
       "slipway run                                  what a push to this branch would start\n"
       "slipway run .slipway/workflows/ci.yaml       one workflow\n"
       "slipway run ci.yaml --job test --no-deps     one job alone\n"
       "slipway run --event tag --dry-run            what a tag would start\n"
       "slipway run ci.yaml --json | jq .type        for programs",
       {kFile, kSecrets, kRun, kSelection, kRegistry, kJson}},
      {"run-job",
       "run one job file, as other systems have them",
       "slipway run-job job.yaml                     flat, with `command` or `job_command`\n"
       "slipway run-job job.yaml --work-dir ../app --secrets-file secrets.env",
       {kJobFile, kSecrets, kRun, kJson}},
      {"lint",
       "check definitions, all errors at once; also what this build cannot run",
       "slipway lint\nslipway lint --json .slipway/workflows/ci.yaml",
       {kLint, kJson}},
      {"plan",
       "show which jobs would run, and why not",
       "slipway plan --event pull_request\nslipway plan --resolved ci.yaml --job test",
       {kFile, kPlan, kSelection, kRegistry, kJson}},
      {"explain",
       "why a job runs or does not",
       "slipway explain deploy --event push\nslipway explain test ci.yaml\nslipway explain deploy --run latest",
       {kExplain, kFileFlag, kSelection, kRegistry, kJson}},
      {"graph",
       "the jobs and what they depend on",
       "slipway graph --format dot | dot -Tsvg > ci.svg",
       {kFile, kGraph, kSelection, kRegistry}},
      {"convert",
       "write files of other systems in our language",
       "slipway convert .reactorcide/workflows/ci.yaml\nslipway convert --write",
       {kConvert, kJson}},
      {"logs",
       "the output of a run, by job and step",
       "slipway logs                          the latest run\n"
       "slipway logs latest test --failed     what made it fail\n"
       "slipway logs 01h test --grep 'error|warning' --timestamps\n"
       "slipway logs -f                       from another terminal",
       {kLogs, kJson}},
      {"attach",
       "a terminal in the sandbox of a job that runs now",
       "slipway attach                        the only job that runs\n"
       "slipway attach 01h test\n"
       "slipway attach test -- env | sort\n"
       "slipway attach --list --json",
       {kLive, kAttachCommand, kAttach, kJson}},
      {"continue",
       "let a job go on that is held at a break",
       "slipway run --break on-failure ci.yaml\nslipway continue",
       {kLive, kJson}},
      {"retry", "run the step again that a job is held after", "slipway retry test", {kLive, kJson}},
      {"abort", "end a job that is held at a break", "slipway abort 01h test", {kLive, kJson}},
      {"runs ls", "list runs, newest first", "slipway runs ls --outcome failed", {kRunsList, kJson}},
      {"runs view", "one run: jobs, steps, tries, decisions", "slipway runs view latest", {kRun1, kJson}},
      {"runs rm", "remove runs with their logs and artifacts", "slipway runs rm --older-than 30d --yes", {kRunsRemove}},
      {"runs artifacts",
       "list or get what a run stored",
       "slipway runs artifacts latest dist -o out",
       {kRun1, kRunsArtifacts, kJson}},
      {"runs tests",
       "test results of a run: what failed, what is new, what is flaky",
       "slipway runs tests latest\nslipway runs tests --slowest",
       {kRun1, kRunsTests, kJson}},
      {"runs report",
       "a run as one HTML page: graph, timeline, logs, tests",
       "slipway runs report latest -o run.html",
       {kRun1, kRunsReport}},
      {"runs rerun",
       "run a run again, all of it or what failed; secrets are asked for again",
       "slipway runs rerun --failed\n"
       "slipway runs rerun 12 deploy\n"
       "slipway runs rerun latest --from test",
       {kRerun, kSecrets, kRun, kJson}},
      {"runs shell",
       "a shell in a new sandbox as a job of a run had it",
       "slipway runs shell latest test\nslipway runs shell 12 -- ls -l",
       {kShell, kAttachCommand, kSecrets}},
      {"images ls", "list the images that were fetched, newest use first", "slipway images ls --json", {kJson}},
      {"images rm", "remove images", "slipway images rm debian:12", {kImagesRemove, kJson}},
      {"images prune",
       "remove the least recently used images until images.size holds",
       "slipway images prune --all",
       {kImagesPrune, kJson}},
      {"schema", "print the JSON Schema of definition files", "slipway schema > slipway.schema.json", {}},
      {"doctor", "check what this machine offers", "slipway doctor --backend docker", {kDoctor, kJson}},
      {"completion",
       "print a completion script",
       "slipway completion bash > /etc/bash_completion.d/slipway",
       {kCompletion, kFileFlag}},
      {"help", "explain an error's code or a command", "slipway help E012", {kHelp}},
  };
}

std::string option_line(const OptionRow& row) {
  std::string left =
      row.short_name().empty() ? "    " : std::string(row.short_name()) + (row.is_positional() ? "" : ", ");
  if (row.is_positional()) left.clear();
  left += row.key();
  if (!row.is_positional() && !row.value.empty()) left += fmt::format(" {}", row.value);
  // A name too long for its column pushes the text to the next line.
  const bool wide = left.size() > 24;
  std::string line = fmt::format("  {:<24}  ", left);
  if (wide) line = fmt::format("  {}\n  {:<24}  ", left, "");
  line += row.doc;
  if (!row.choices.empty() && row.doc.find(row.choices.substr(0, row.choices.find('|'))) == std::string_view::npos) {
    line += fmt::format(" ({})", row.choices);
  }
  return line + '\n';
}

std::string usage_line(const CommandRow& command) {
  std::string line = fmt::format("usage: slipway {} [OPTIONS]", command.name);
  for (const auto& group : command.options) {
    for (const OptionRow& row : group) {
      if (!row.is_positional()) continue;
      const std::string dots = row.arity == Arity::many ? "..." : "";
      if (row.names == kCommandBehindDashes) {
        line += fmt::format(" [-- {}{}]", row.names, dots);
        continue;
      }
      line += row.required ? fmt::format(" {}{}", row.names, dots) : fmt::format(" [{}{}]", row.names, dots);
    }
  }
  return line;
}

}  // namespace

std::string_view OptionRow::key() const {
  const std::size_t comma = names.find(',');
  return comma == std::string_view::npos ? names : names.substr(comma + 1);
}

std::string_view OptionRow::short_name() const {
  const std::size_t comma = names.find(',');
  return comma == std::string_view::npos ? std::string_view() : names.substr(0, comma);
}

const std::vector<CommandRow>& command_rows() {
  static const std::vector<CommandRow> rows = make_rows();
  return rows;
}

std::span<const GroupRow> command_groups() {
  static constexpr GroupRow kGroups[] = {{"runs", "the history of runs"}, {"images", "the images that were fetched"}};
  return kGroups;
}

std::span<const OptionRow> common_options() { return kCommon; }
std::span<const OptionRow> root_options() { return kRoot; }

const CommandRow* find_command(std::string_view name) {
  for (const CommandRow& row : command_rows()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::string root_help() {
  std::string text =
      "Slipway runs CI jobs: here in sandboxes, or on your own machines.\n\n"
      "usage: slipway COMMAND [OPTIONS]\n\ncommands:\n";
  for (const CommandRow& row : command_rows()) text += fmt::format("  {:<16}  {}\n", row.name, row.doc);
  text += "\noptions:\n";
  for (const OptionRow& row : root_options()) text += option_line(row);
  for (const OptionRow& row : common_options()) text += option_line(row);
  text +=
      "\nexit codes: 0 succeeded, 1 failed or out of memory, 2 usage, definition or rejected, 3 cancelled by someone\n"
      "else, 4 not allowed, 5 infrastructure, 124 timed out, 130 interrupted, 143 terminated\n"
      "\n`slipway COMMAND --help` says more of each.\n";
  return text;
}

std::string command_help(const CommandRow& command) {
  std::string text = fmt::format("slipway {}: {}\n\n{}\n", command.name, command.doc, usage_line(command));
  std::string positionals, options;
  for (const auto& group : command.options) {
    for (const OptionRow& row : group) (row.is_positional() ? positionals : options) += option_line(row);
  }
  if (!positionals.empty()) text += "\narguments:\n" + positionals;
  if (!options.empty()) text += "\noptions:\n" + options;
  text += "\nof every command:\n";
  for (const OptionRow& row : common_options()) text += option_line(row);
  if (!command.examples.empty()) {
    text += "\nexamples:\n";
    for (const std::string_view line : split(command.examples, '\n')) text += fmt::format("  {}\n", line);
  }
  return text;
}

}  // namespace slipway::cli
