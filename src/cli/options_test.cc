#include "cli/options.h"

#include <algorithm>
#include <chrono>

#include <gtest/gtest.h>

#include "cli/command_table.h"
#include "cli/configuration.h"
#include "cli/exit_codes.h"

namespace slipway::cli {
namespace {

using Words = std::vector<std::string>;

template <class T>
T parsed(const Words& words) {
  auto invocation = parse_arguments(words);
  EXPECT_TRUE(invocation) << invocation.error().what;
  if (!invocation) return T{};
  EXPECT_TRUE(std::holds_alternative<T>(invocation->command)) << "variant " << invocation->command.index();
  const T* command = std::get_if<T>(&invocation->command);
  return command == nullptr ? T{} : *command;
}

std::string problem(const Words& words) {
  const auto invocation = parse_arguments(words);
  if (invocation) return "no error";
  EXPECT_EQ(exit_code_of(invocation.error()), kExitUsage);
  return invocation.error().what;
}

TEST(Options, RunTakesAllItsFlags) {
  const auto run = parsed<RunOptions>(
      {"run",    "ci.yaml",  "--job",  "a",      "--job",    "b",   "--no-deps",     "--event", "tag",
       "-e",     "A=1",      "--env",  "B=x=y",  "--secret", "KEY", "--input",       "t=prod",  "--matrix",
       "cc=gcc", "--commit", "HEAD~1", "--base", "main",     "-n",  "--secret-file", "s.env"});
  EXPECT_EQ(run.what.file, "ci.yaml");
  EXPECT_EQ(run.what.jobs, (Words{"a", "b"}));
  EXPECT_TRUE(run.what.alone);
  EXPECT_EQ(run.what.event, model::EventKind::tag);
  EXPECT_EQ(run.what.env, (Pairs{{"A", "1"}, {"B", "x=y"}}));
  EXPECT_EQ(run.what.inputs, (Pairs{{"t", "prod"}}));
  EXPECT_EQ(run.what.matrix, (Pairs{{"cc", "gcc"}}));
  EXPECT_EQ(run.what.commit, "HEAD~1");
  EXPECT_EQ(run.secrets, Words{"KEY"});
  EXPECT_EQ(run.secret_file, "s.env");
  EXPECT_TRUE(run.dry_run);
}

TEST(Options, FlagsOfSettingsCarryTheirNames) {
  const auto invocation =
      parse_arguments({"--color=never", "run", "-j", "4", "--keep", "--state-dir", "/s", "--json", "-q"});
  ASSERT_TRUE(invocation) << invocation.error().what;
  std::map<std::string, std::string> settings;
  for (const SettingFlag& flag : invocation->common.settings) settings[flag.key] = flag.flag + "=" + flag.value;
  EXPECT_EQ(settings, (std::map<std::string, std::string>{{"color", "--color=never"},
                                                          {"keep", "--keep=true"},
                                                          {"max_parallel", "--max-parallel=4"},
                                                          {"state_dir", "--state-dir=/s"}}));
  EXPECT_TRUE(invocation->common.json);
  EXPECT_EQ(invocation->common.verbosity, Verbosity::quiet);
}

TEST(Options, AJobWithoutAFile) {
  const auto run = parsed<RunOptions>({"run", "--git-url", "u", "--git-ref", "r", "--job-command", "make -j2"});
  EXPECT_EQ(run.what.job_command, "make -j2");
  EXPECT_EQ(problem({"run", "--git-url", "u"}), "--git-url and --git-ref need --job-command");
  EXPECT_EQ(problem({"run", "f.yaml", "--job-command", "x"}), "give a file or --job-command, not both");
}

TEST(Options, AJobFileAndWhatItGets) {
  const auto run = parsed<RunOptions>({"run-job", "job.yaml", "--secrets-file", "s.env", "-n"});
  EXPECT_EQ(run.what.file, "job.yaml");
  EXPECT_TRUE(run.what.is_job_file);
  EXPECT_TRUE(run.dry_run);
  EXPECT_EQ(run.secret_file, "s.env");
  EXPECT_TRUE(parsed<RunOptions>({"run-job", "job.yaml", "--work-dir", "/w"}).what.file.starts_with('/'));
  EXPECT_EQ(problem({"run-job", "f", "--work-dir", "a", "-C", "b"}), "give --work-dir or -C, not both");
  EXPECT_EQ(problem({"run", "--project", "app"}), "--project needs --registry");
  EXPECT_EQ(problem({"run", "f.yaml", "--registry", "r.yaml"}), "give --registry or what to run, not both");
  EXPECT_EQ(problem({"convert", "f", "--write", "-o", "d"}), "give --write or -o, not both");
  EXPECT_EQ(parsed<ConvertOptions>({"convert", "a", "b", "-o", "d"}).files.size(), 2U);
}

TEST(Options, MistypedCommandsAndFlagsNameTheNearest) {
  EXPECT_EQ(problem({"rum"}), "unknown command `rum`, did you mean `run`?; see `slipway --help`");
  EXPECT_EQ(problem({"run", "--max-paralel", "3"}),
            "unknown option `--max-paralel`, did you mean `--max-parallel`?; see `slipway run --help`");
  EXPECT_EQ(problem({"run", "--event", "pushh"}),
            "--event: `pushh` is not one of push, pull_request, tag, manual, schedule, api; did you mean `push`?");
  EXPECT_EQ(problem({"runs", "lss"}),
            "unknown command `runs lss`, did you mean `runs ls`?; there are: ls, view, rm, artifacts, tests, report, "
            "rerun, shell");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"sandbox", "--help"}, {"sandbox", "--", "true"}, {"help", "sandbox"}}) {
    EXPECT_EQ(problem(words),
              "`slipway sandbox` is a command inside a job, for its steps to call: see docs/siblings.md, or `slipway "
              "sandbox --help` there");
  }
  EXPECT_EQ(problem({"explain"}), "JOB is missing; see `slipway explain --help`");
  EXPECT_EQ(problem({"run", "a", "b"}), "unexpected argument `b`; see `slipway run --help`");
}

TEST(Options, BadValuesAreUsageErrors) {
  EXPECT_EQ(problem({"run", "-e", "A"}), "--env: `A` is not K=V");
  EXPECT_EQ(problem({"run", "--no-deps"}), "--no-deps needs --job");
  EXPECT_EQ(problem({"logs", "--since-line", "x"}), "--since-line: `x` is not a number");
  EXPECT_EQ(problem({"runs", "rm"}), "say which runs: ids, --older-than AGE, or --all");
  EXPECT_EQ(problem({"runs", "rm", "a", "--all-projects"}),
            "--all-projects goes with --all or --older-than: an id is of one project");
  EXPECT_EQ(problem({"run", "-q", "-v"}), "--quiet and --verbose do not go together");
  EXPECT_NE(problem({"run", "--commit"}), "no error");
}

TEST(Options, ASecretsValueIsNeverTakenFromTheCommandLine) {
  EXPECT_NE(problem({"run", "--secret", "KEY=hunter2"}).find("takes a name only"), std::string::npos);
  EXPECT_EQ(problem({"run", "--secret", "KEY=hunter2"}).find("hunter2"), std::string::npos);
}

TEST(Options, RunsAndLogs) {
  EXPECT_EQ(parsed<RunsListOptions>({"runs"}).limit, 20U);
  EXPECT_EQ(parsed<RunsListOptions>({"runs", "ls", "-n", "3"}).limit, 3U);
  EXPECT_EQ(parsed<RunsViewOptions>({"runs", "view"}).run, "latest");
  EXPECT_EQ(parsed<RunsRemoveOptions>({"runs", "rm", "a", "b", "-y"}).runs, (Words{"a", "b"}));
  EXPECT_EQ(parsed<RunsArtifactsOptions>({"runs", "artifacts", "latest", "dist", "-o", "out"}).output, "out");
  const auto logs =
      parsed<LogsOptions>({"logs", "01h", "test (gcc, 17)", "--step", "unit", "--grep", "-x", "-f", "-t"});
  EXPECT_EQ(logs.run, "01h");
  EXPECT_EQ(logs.job, "test (gcc, 17)");
  EXPECT_EQ(logs.grep, "-x");
  EXPECT_TRUE(logs.follow && logs.timestamps);
  EXPECT_EQ(parsed<LogsOptions>({"logs"}).run, "latest");
}

TEST(Options, HelpAndVersionAnswerAtOnce) {
  EXPECT_TRUE(parsed<ShowText>({"--version"}).text.starts_with("slipway "));
  EXPECT_NE(parsed<ShowText>({}).text.find("usage: slipway COMMAND"), std::string::npos);
  EXPECT_NE(parsed<ShowText>({"explain", "--help"}).text.find("usage: slipway explain [OPTIONS] JOB"),
            std::string::npos);
  EXPECT_NE(parsed<ShowText>({"help", "runs", "rm"}).text.find("--older-than AGE"), std::string::npos);
  EXPECT_EQ(parsed<HelpCodeOptions>({"help", "E012"}).code, "E012");
  parsed<PrintConfigOptions>({"--print-config"});
}

TEST(Options, EveryCommandHelpsAndEverySettingOfAFlagExists) {
  for (const CommandRow& row : command_rows()) {
    EXPECT_NE(command_help(row).find("usage: slipway "), std::string::npos) << row.name;
    for (const auto& group : row.options) {
      for (const OptionRow& option : group) {
        EXPECT_FALSE(option.doc.empty()) << row.name << " " << option.names;
        if (option.setting.empty()) continue;
        EXPECT_TRUE(std::ranges::any_of(setting_rows(), [&](const SettingRow& s) { return s.key == option.setting; }))
            << option.names;
      }
    }
  }
}

TEST(Options, ParsingIsFastEnoughForAPersonsEveryCommand) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(parse_arguments({"run", "ci.yaml", "--job", "a"}));
  const auto each = (std::chrono::steady_clock::now() - begin) / 20;
  EXPECT_LT(each, std::chrono::milliseconds(5));  // 0.2 ms where nothing else runs
}

TEST(Options, AFileInThePlaceOfACommandIsMeantToBeRun) {
  const auto read = parse_arguments({"hello.yaml"});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().what, "`hello.yaml` is no command, did you mean `slipway run hello.yaml`?");
}

}  // namespace
}  // namespace slipway::cli
