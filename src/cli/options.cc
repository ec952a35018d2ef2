#include "cli/options.h"

#include <charconv>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/configuration.h"

namespace slipway::cli {

namespace {

std::string run_or_latest(const Arguments& arguments) { return arguments.has("RUN") ? arguments.one("RUN") : "latest"; }

Result<Pairs> pairs_of(const Arguments& arguments, std::string_view key) {
  Pairs pairs;
  for (const std::string& text : arguments.all(key)) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fail(ErrorKind::invalid, fmt::format("{}: `{}` is not K=V", key, text));
    }
    pairs.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return pairs;
}

Result<std::optional<std::uint64_t>> number_of(const Arguments& arguments, std::string_view key) {
  if (!arguments.has(key)) return std::optional<std::uint64_t>();
  const std::string text = arguments.one(key);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(ErrorKind::invalid, fmt::format("{}: `{}` is not a number", key, text));
  }
  return std::optional(number);
}

Result<Selection> selection_of(const Arguments& arguments) {
  Selection what;
  what.file = arguments.one("FILE");
  if (arguments.has("--workflow-file")) {
    if (!what.file.empty()) return fail(ErrorKind::invalid, "give FILE or --workflow-file, not both");
    what.file = arguments.one("--workflow-file");
  }
  what.jobs = arguments.all("--job");
  what.alone = arguments.has("--no-deps");
  if (what.alone && what.jobs.empty()) return fail(ErrorKind::invalid, "--no-deps needs --job");
  what.event_given = arguments.has("--event");
  if (what.event_given) {
    const auto kind = model::event_kind_of(arguments.one("--event"));
    if (!kind) return fail(ErrorKind::invalid, fmt::format("--event: unknown kind `{}`", arguments.one("--event")));
    what.event = *kind;
  }
  what.event_file = arguments.one("--event-file");
  what.commit = arguments.one("--commit");
  what.base = arguments.one("--base");
  what.secrets_with_source = arguments.has("--accept-risk");
  what.git_url = arguments.one("--git-url");
  what.git_ref = arguments.one("--git-ref");
  what.source_url = arguments.one("--source-url");
  what.source_ref = arguments.one("--source-ref");
  what.job_command = arguments.one("--job-command");
  if (arguments.has("--job-command") && what.job_command.empty()) {
    return fail(ErrorKind::invalid, "--job-command is empty");
  }
  if (what.job_command.empty() && (!what.git_url.empty() || !what.git_ref.empty())) {
    return fail(ErrorKind::invalid, "--git-url and --git-ref need --job-command");
  }
  if (!what.source_url.empty() && (!what.git_url.empty() || !what.commit.empty())) {
    return fail(ErrorKind::invalid, "give one of --source-url, --git-url and --commit");
  }
  if (what.source_url.empty() && !what.source_ref.empty()) {
    return fail(ErrorKind::invalid, "--source-ref needs --source-url");
  }
  if (!what.job_command.empty() && !what.file.empty()) {
    return fail(ErrorKind::invalid, "give a file or --job-command, not both");
  }
  what.registry = arguments.one("--registry");
  what.project = arguments.one("--project");
  if (what.registry.empty() && !what.project.empty()) return fail(ErrorKind::invalid, "--project needs --registry");
  if (!what.registry.empty() && !(what.file.empty() && what.job_command.empty())) {
    return fail(ErrorKind::invalid, "give --registry or what to run, not both");
  }
  SW_TRY(what.env, pairs_of(arguments, "--env"));
  SW_TRY(what.inputs, pairs_of(arguments, "--input"));
  SW_TRY(what.matrix, pairs_of(arguments, "--matrix"));
  return what;
}

// All but the selection.
Result<RunOptions> run_options_of(const Arguments& arguments) {
  RunOptions options;
  options.secrets = arguments.all("--secret");
  for (const std::string& name : options.secrets) {
    // A value on the command line would be in every process listing and in the shell's history.
    if (name.find('=') != std::string::npos) {
      return fail(ErrorKind::invalid,
                  "--secret takes a name only; put the value in the environment or in --secret-file");
    }
    if (name.empty()) return fail(ErrorKind::invalid, "--secret: the name is empty");
  }
  options.secret_file = arguments.one("--secret-file");
  options.dry_run = arguments.has("--dry-run");
  options.breaks = arguments.all("--break");
  for (const std::string& text : options.breaks) {
    if (text.empty() || text == "before:") return fail(ErrorKind::invalid, "--break: on-failure, STEP or before:STEP");
  }
  return options;
}

Result<Command> run_of(const Arguments& arguments) {
  SW_TRY(RunOptions options, run_options_of(arguments));
  SW_TRY(options.what, selection_of(arguments));
  return options;
}

Result<Command> runs_rerun_of(const Arguments& arguments) {
  RunsRerunOptions again;
  again.run = run_or_latest(arguments);
  again.jobs = arguments.all("JOB");
  again.failed = arguments.has("--failed");
  again.from_step = arguments.one("--from");
  if (again.failed && (!again.jobs.empty() || !again.from_step.empty())) {
    return fail(ErrorKind::invalid, "--failed says which jobs: give neither JOB nor --from with it");
  }
  if (!again.from_step.empty() && again.jobs.size() > 1) return fail(ErrorKind::invalid, "--from is of one JOB");
  SW_TRY(again.options, run_options_of(arguments));
  return again;
}

Result<Command> runs_shell_of(const Arguments& arguments) {
  RunsShellOptions shell;
  shell.run = run_or_latest(arguments);
  shell.job = arguments.one("JOB");
  shell.command = arguments.all(std::string(kCommandBehindDashes));
  shell.terminal = arguments.has("--tty");
  SW_TRY(shell.options, run_options_of(arguments));
  return shell;
}

Result<Command> attach_of(const Arguments& arguments) {
  AttachOptions options;
  options.which = {arguments.one("RUN"), arguments.one("JOB")};
  options.command = arguments.all(std::string(kCommandBehindDashes));
  options.terminal = arguments.has("--tty");
  options.list = arguments.has("--list");
  if (options.list && !options.command.empty()) return fail(ErrorKind::invalid, "--list runs no command");
  if (arguments.has("--json") && !options.list) return fail(ErrorKind::invalid, "--json goes with --list");
  return options;
}

Result<Command> run_job_of(const Arguments& arguments) {
  SW_TRY(Command command, run_of(arguments));
  RunOptions& options = std::get<RunOptions>(command);
  options.what.is_job_file = true;
  // The file is where the person is, whatever directory the job gets.
  if (arguments.has("--work-dir")) options.what.file = std::filesystem::absolute(options.what.file);
  if (arguments.has("--secrets-file")) {
    if (!options.secret_file.empty()) return fail(ErrorKind::invalid, "give --secrets-file or --secret-file, not both");
    options.secret_file = arguments.one("--secrets-file");
  }
  return command;
}

Result<Command> explain_of(const Arguments& arguments) {
  ExplainOptions options{.job = arguments.one("JOB"), .run = arguments.one("--run"), .what = {}};
  SW_TRY(options.what, selection_of(arguments));
  return options;
}

Result<Command> graph_of(const Arguments& arguments) {
  GraphOptions options;
  SW_TRY(options.what, selection_of(arguments));
  const std::string format = arguments.one("--format");
  options.format = format == "dot" ? Format::dot : format == "json" ? Format::json : Format::text;
  return options;
}

Result<Command> runs_list_of(const Arguments& arguments) {
  RunsListOptions options;
  SW_TRY(const auto limit, number_of(arguments, "--limit"));
  if (limit) options.limit = *limit;
  options.workflow = arguments.one("--workflow");
  if (arguments.has("--outcome")) options.outcome = model::outcome_of(arguments.one("--outcome"));
  options.all_projects = arguments.has("--all-projects");
  return options;
}

Result<Command> runs_remove_of(const Arguments& arguments) {
  RunsRemoveOptions options{.runs = arguments.all("RUN"),
                            .older_than = {},
                            .all = arguments.has("--all"),
                            .all_projects = arguments.has("--all-projects"),
                            .yes = arguments.has("--yes")};
  if (arguments.has("--older-than")) {
    SW_TRY(options.older_than, parse_duration(arguments.one("--older-than")));
  }
  const int ways = (options.runs.empty() ? 0 : 1) + (options.older_than ? 1 : 0) + (options.all ? 1 : 0);
  if (ways != 1) return fail(ErrorKind::invalid, "say which runs: ids, --older-than AGE, or --all");
  if (options.all_projects && !options.runs.empty()) {
    return fail(ErrorKind::invalid, "--all-projects goes with --all or --older-than: an id is of one project");
  }
  return options;
}

Result<Command> runs_tests_of(const Arguments& arguments) {
  using Which = RunsTestsOptions::Which;
  RunsTestsOptions options{.run = run_or_latest(arguments)};
  int ways = 0;
  for (const auto& [flag, which] : {std::pair{"--all", Which::all}, std::pair{"--failed", Which::failed},
                                    std::pair{"--flaky", Which::flaky}, std::pair{"--slowest", Which::slowest}}) {
    if (!arguments.has(flag)) continue;
    options.which = which;
    ++ways;
  }
  if (ways > 1) return fail(ErrorKind::invalid, "--all, --failed, --flaky and --slowest do not go together");
  return options;
}

Result<Command> logs_of(const Arguments& arguments) {
  LogsOptions options;
  options.run = run_or_latest(arguments);
  options.job = arguments.one("JOB");
  options.step = arguments.one("--step");
  options.service = arguments.one("--service");
  if (!options.service.empty() && (!options.step.empty() || arguments.has("--failed"))) {
    return fail(ErrorKind::invalid, "--service: a service has no steps, so --step and --failed say nothing of it");
  }
  SW_TRY(const auto attempt, number_of(arguments, "--attempt"));
  if (attempt) options.attempt = static_cast<int>(std::min<std::uint64_t>(*attempt, 1'000'000));
  options.group = arguments.one("--group");
  options.raw = arguments.has("--raw");
  options.grep = arguments.one("--grep");
  options.ignore_case = arguments.has("--ignore-case");
  SW_TRY(const auto since, number_of(arguments, "--since-line"));
  options.since_line = since.value_or(0);
  SW_TRY(options.tail, number_of(arguments, "--tail"));
  options.failed_only = arguments.has("--failed");
  options.timestamps = arguments.has("--timestamps");
  options.follow = arguments.has("--follow");
  if (options.follow && options.tail) return fail(ErrorKind::invalid, "--tail and --follow do not go together");
  return options;
}

// Of a group of commands: all that it has. Empty: there is none of that name.
std::string group_help(std::string_view name) {
  std::string help;
  for (const CommandRow& row : command_rows()) {
    if (row.name.starts_with(fmt::format("{} ", name))) help += (help.empty() ? "" : "\n") + command_help(row);
  }
  return help;
}

Result<Command> help_of(const Arguments& arguments) {
  const std::vector<std::string> topic = arguments.all("TOPIC");
  if (topic.empty()) return ShowText{root_help()};
  if (const CommandRow* row = find_command(join(topic, " ")); row != nullptr) return ShowText{command_help(*row)};
  if (std::string group = group_help(topic.front()); topic.size() == 1 && !group.empty()) return ShowText{group};
  if (topic.size() > 1) return fail(ErrorKind::invalid, fmt::format("unknown command `{}`", join(topic, " ")));
  if (const std::string hint = job_command_hint(topic.front()); !hint.empty()) return fail(ErrorKind::invalid, hint);
  return HelpCodeOptions{topic.front()};
}

Result<Command> command_of(const Arguments& arguments) {
  if (arguments.command == nullptr) {
    if (arguments.has("--version")) return ShowText{"slipway " SLIPWAY_VERSION "\n"};
    if (arguments.has("--print-config")) return PrintConfigOptions{};
    return ShowText{root_help()};
  }
  const std::string_view name = arguments.command->name;
  if (name == "run") return run_of(arguments);
  if (name == "run-job") return run_job_of(arguments);
  if (name == "convert") {
    ConvertOptions options{arguments.all("FILE"), arguments.has("--write"), arguments.one("--output"),
                           arguments.one("--project")};
    if (options.write && !options.output.empty()) return fail(ErrorKind::invalid, "give --write or -o, not both");
    return options;
  }
  if (name == "lint") return LintOptions{arguments.all("FILE")};
  if (name == "plan") {
    SW_TRY(auto what, selection_of(arguments));
    return PlanOptions{std::move(what), arguments.has("--resolved")};
  }
  if (name == "explain") return explain_of(arguments);
  if (name == "attach") return attach_of(arguments);
  if (name == "continue" || name == "retry" || name == "abort") {
    return ResumeOptions{{arguments.one("RUN"), arguments.one("JOB")}, std::string(name)};
  }
  if (name == "graph") return graph_of(arguments);
  if (name == "logs") return logs_of(arguments);
  if (name == "runs ls") return runs_list_of(arguments);
  if (name == "runs view") return RunsViewOptions{run_or_latest(arguments)};
  if (name == "runs tests") return runs_tests_of(arguments);
  if (name == "runs report") {
    return RunsReportOptions{run_or_latest(arguments), arguments.one("--output")};
  }
  if (name == "runs rerun") return runs_rerun_of(arguments);
  if (name == "runs shell") return runs_shell_of(arguments);
  if (name == "runs rm") return runs_remove_of(arguments);
  if (name == "runs artifacts") {
    return RunsArtifactsOptions{run_or_latest(arguments), arguments.one("NAME"), arguments.one("--output")};
  }
  if (name == "images ls") return ImagesListOptions{};
  if (name == "images rm") return ImagesRemoveOptions{arguments.all("IMAGE")};
  if (name == "images prune") return ImagesPruneOptions{arguments.has("--all")};
  if (name == "schema") return SchemaOptions{};
  if (name == "completion") {
    const CompletionOptions wanted{arguments.one("SHELL"), arguments.one("--words"), arguments.one("--workflow-file")};
    if (wanted.shell.empty() == wanted.words.empty()) return fail(ErrorKind::invalid, "which shell? bash, zsh or fish");
    return wanted;
  }
  if (name == "doctor") return DoctorOptions{};
  return help_of(arguments);
}

void collect_settings(const Arguments& arguments, std::span<const OptionRow> rows, std::vector<SettingFlag>& settings) {
  for (const OptionRow& row : rows) {
    if (row.setting.empty() || !arguments.has(row.key())) continue;
    settings.push_back({.key = std::string(row.setting),
                        .value = row.arity == Arity::flag ? "true" : arguments.one(row.key()),
                        .flag = std::string(row.key())});
  }
}

}  // namespace

Result<Invocation> parse_arguments(const std::vector<std::string>& words) {
  SW_TRY(const Arguments arguments, read_arguments(words));
  if (arguments.has("--help")) {
    if (!arguments.group.empty()) return Invocation{{}, ShowText{group_help(arguments.group)}};
    return Invocation{{}, ShowText{arguments.command == nullptr ? root_help() : command_help(*arguments.command)}};
  }
  CommonOptions common;
  common.words = words;
  common.directory = arguments.one("--directory");
  if (arguments.has("--work-dir")) {
    if (arguments.has("--directory")) return fail(ErrorKind::invalid, "give --work-dir or -C, not both");
    common.directory = arguments.one("--work-dir");
  }
  if (arguments.has("--quiet") && arguments.has("--verbose")) {
    return fail(ErrorKind::invalid, "--quiet and --verbose do not go together");
  }
  if (arguments.has("--quiet")) common.verbosity = Verbosity::quiet;
  if (arguments.has("--verbose")) common.verbosity = Verbosity::verbose;
  common.json = arguments.has("--json");
  common.no_input = arguments.has("--no-input");
  common.print_config = arguments.has("--print-config");
  collect_settings(arguments, common_options(), common.settings);
  if (arguments.command != nullptr) {
    for (const auto& group : arguments.command->options) collect_settings(arguments, group, common.settings);
  }
  SW_TRY(Command command, command_of(arguments));
  return Invocation{std::move(common), std::move(command)};
}

}  // namespace slipway::cli
