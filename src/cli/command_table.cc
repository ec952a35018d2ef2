#include "cli/command_table.h"

#include "cli/option_tables.h"

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
     .doc = "what the scripts ask for, one a line: runs, live, jobs, steps, breaks, images or codes",
     .completes = Completes::choices,
     .choices = "runs|live|jobs|steps|breaks|images|codes"}};
constexpr OptionRow kHelp[] = {{.names = "TOPIC",
                                .arity = Arity::many,
                                .value = "CODE|COMMAND",
                                .doc = "an error's code (E012) or a command",
                                .completes = Completes::code}};

std::vector<CommandRow> make_rows() {
  return {
      {"run",
       "run a workflow or a job here, in sandboxes",
       "slipway run                                  what a push to this branch would start\n"
       "slipway run .slipway/workflows/ci.yaml       one workflow\n"
       "slipway run ci.yaml --job test --no-deps     one job alone\n"
       "slipway run --event tag --dry-run            what a tag would start\n"
       "slipway run ci.yaml --json | jq .type        for programs",
       {kFileOptions, kSecretOptions, kRunOptions, kSelectionOptions, kRegistryOptions, kJson}},
      {"run-job",
       "run one job file, as other systems have them",
       "slipway run-job job.yaml                     flat, with `command` or `job_command`\n"
       "slipway run-job job.yaml --work-dir ../app --secrets-file secrets.env",
       {kJobFileOptions, kSecretOptions, kRunOptions, kJson}},
      {"lint",
       "check definitions, all errors at once; also what this build cannot run",
       "slipway lint\nslipway lint --json .slipway/workflows/ci.yaml",
       {kLintOptions, kJson}},
      {"plan",
       "show which jobs would run, and why not",
       "slipway plan --event pull_request\nslipway plan --resolved ci.yaml --job test",
       {kFileOptions, kPlanOptions, kSelectionOptions, kRegistryOptions, kJson}},
      {"explain",
       "why a job runs or does not",
       "slipway explain deploy --event push\nslipway explain test ci.yaml\nslipway explain deploy --run latest",
       {kExplainOptions, kFileFlagOptions, kSelectionOptions, kRegistryOptions, kJson}},
      {"graph",
       "the jobs and what they depend on",
       "slipway graph --format dot | dot -Tsvg > ci.svg",
       {kFileOptions, kGraphOptions, kSelectionOptions, kRegistryOptions}},
      {"convert",
       "write files of other systems in our language",
       "slipway convert .reactorcide/workflows/ci.yaml\nslipway convert --write",
       {kConvertOptions, kJson}},
      {"logs",
       "the output of a run, by job and step",
       "slipway logs                          the latest run\n"
       "slipway logs latest test --failed     what made it fail\n"
       "slipway logs 01h test --grep 'error|warning' --timestamps\n"
       "slipway logs -f                       from another terminal",
       {kLogsOptions, kJson}},
      {"attach",
       "a terminal in the sandbox of a job that runs now",
       "slipway attach                        the only job that runs\n"
       "slipway attach 01h test\n"
       "slipway attach test -- env | sort\n"
       "slipway attach --list --json",
       {kLiveOptions, kAttachCommandOptions, kAttachOptions, kJson}},
      {"continue",
       "let a job go on that is held at a break",
       "slipway run --break on-failure ci.yaml\nslipway continue",
       {kLiveOptions, kJson}},
      {"retry", "run the step again that a job is held after", "slipway retry test", {kLiveOptions, kJson}},
      {"abort", "end a job that is held at a break", "slipway abort 01h test", {kLiveOptions, kJson}},
      {"runs ls", "list runs, newest first", "slipway runs ls --outcome failed", {kRunsListOptions, kJson}},
      {"runs view",
       "one run: jobs, steps, tries, decisions",
       "slipway runs view latest",
       {kRunOfHistoryOptions, kJson}},
      {"runs rm",
       "remove runs with their logs and artifacts",
       "slipway runs rm --older-than 30d --yes",
       {kRunsRemoveOptions}},
      {"runs artifacts",
       "list or get what a run stored",
       "slipway runs artifacts latest dist -o out",
       {kRunOfHistoryOptions, kRunsArtifactsOptions, kJson}},
      {"runs tests",
       "test results of a run: what failed, what is new, what is flaky",
       "slipway runs tests latest\nslipway runs tests --slowest",
       {kRunOfHistoryOptions, kRunsTestsOptions, kJson}},
      {"runs report",
       "a run as one HTML page: graph, timeline, logs, tests",
       "slipway runs report latest -o run.html",
       {kRunOfHistoryOptions, kRunsReportOptions}},
      {"runs rerun",
       "run a run again, all of it or what failed; secrets are asked for again",
       "slipway runs rerun --failed\n"
       "slipway runs rerun 12 deploy\n"
       "slipway runs rerun latest --from test",
       {kRerunOptions, kSecretOptions, kRunOptions, kJson}},
      {"runs shell",
       "a shell in a new sandbox as a job of a run had it",
       "slipway runs shell latest test\nslipway runs shell 12 -- ls -l",
       {kShellOptions, kAttachCommandOptions, kSecretOptions}},
      {"images ls", "list the images that were fetched, newest use first", "slipway images ls --json", {kJson}},
      {"images rm", "remove images", "slipway images rm debian:12", {kImagesRemoveOptions, kJson}},
      {"images prune",
       "remove the least recently used images until images.size holds",
       "slipway images prune --all",
       {kImagesPruneOptions, kJson}},
      {"schema", "print the JSON Schema of definition files", "slipway schema > slipway.schema.json", {}},
      {"doctor", "check what this machine offers", "slipway doctor --backend docker", {kDoctorOptions, kJson}},
      {"completion",
       "print a completion script",
       "slipway completion bash > /etc/bash_completion.d/slipway",
       {kCompletion, kFileFlagOptions}},
      {"help", "explain an error's code or a command", "slipway help E012", {kHelp}},
  };
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

}  // namespace slipway::cli
