// Files of other systems: each of tests/golden/dialects against the `.expected` beside it (what people are told, and
// what `slipway convert` makes of it; SLIPWAY_ACCEPT=1 writes what is found instead), and the rules that need a table.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "base/text.h"
#include "definition/dialects/command.h"
#include "definition/dialects/python.h"
#include "definition/presets.h"
#include "definition/reader.h"

namespace slipway::definition {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(SLIPWAY_SOURCE_DIR) / "tests/golden/dialects";

Result<std::string> contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorKind::not_found, path.string());
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

ReadOptions options() {
  ReadOptions reading;
  reading.open = [](const std::string& path) { return contents(kGolden / path); };
  return reading;
}

std::vector<fs::path> golden_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(kGolden)) {
    const std::string extension = entry.path().extension();
    if (extension == ".yaml" || extension == ".yml") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::vector<Converted> converted(const std::string& text, const std::string& name) {
  if (!is_registry(text)) return {convert(text, name, options())};
  auto all = convert_registry(text, name, {.name = {}, .url = {}, .all = true});
  return all ? std::move(*all) : std::vector<Converted>();
}

std::string shown(const std::vector<Problem>& problems, const std::string& text, const std::string& name) {
  std::string all;
  for (const Problem& problem : problems)
    all += fmt::format("[{}] {}", problem.code, render(problem, problem.place.file == name ? text : ""));
  return all;
}

TEST(Dialects, EveryGoldenFileReadsAndConvertsAsItWasAccepted) {
  ASSERT_GE(golden_files().size(), 15U);
  for (const fs::path& path : golden_files()) {
    const std::string text = contents(path).value();
    const std::string name = path.lexically_relative(kGolden);
    std::string found;
    if (!is_registry(text)) found = shown(read_workflow(text, name, options()).problems, text, name);
    for (const Converted& one : converted(text, name)) {
      if (!has_errors(one.problems)) found += "-- converted\n" + shown(one.problems, text, name) + one.yaml;
    }
    const fs::path expected = path.string() + ".expected";
    if (std::getenv("SLIPWAY_ACCEPT") != nullptr) std::ofstream(expected, std::ios::binary) << found;
    EXPECT_EQ(found, contents(expected).value_or("")) << path;
  }
}

TEST(Dialects, WhatConvertWritesIsInOurLanguageAndHasNoErrors) {
  for (const fs::path& path : golden_files()) {
    const std::string text = contents(path).value();
    for (const Converted& one : converted(text, path.lexically_relative(kGolden))) {
      if (one.yaml.empty()) continue;
      const ReadResult again = read_workflow(one.yaml, "converted.yaml");
      EXPECT_TRUE(again.workflow.has_value()) << path << "\n" << shown(again.problems, one.yaml, "converted.yaml");
      EXPECT_EQ(again.dialect, Dialect::slipway);
      EXPECT_TRUE(convert(one.yaml, "converted.yaml").is_ours);
    }
  }
}

TEST(Dialects, WhatWasConvertedHasTheSameJobs) {
  for (const fs::path& path : golden_files()) {
    const std::string text = contents(path).value();
    const std::string name = path.lexically_relative(kGolden);
    ReadOptions anywhere = options();
    anywhere.is_local = false;
    const ReadResult direct = read_workflow(text, name, anywhere);
    if (!direct.workflow) continue;
    const Converted one = convert(text, name, anywhere);
    if (one.yaml.find("was called") != std::string::npos) continue;  // a name had to change
    const ReadResult again = read_workflow(one.yaml, name.starts_with("flat") ? name : "x.yaml");
    ASSERT_TRUE(again.workflow.has_value()) << path;
    ASSERT_EQ(direct.workflow->jobs.size(), again.workflow->jobs.size()) << path;
    for (std::size_t i = 0; i < direct.workflow->jobs.size(); ++i) {
      const model::JobDefinition& a = direct.workflow->jobs[i];
      const model::JobDefinition& b = again.workflow->jobs[i];
      if (!direct.workflow->is_single_job) {
        EXPECT_EQ(a.name, b.name) << path;
      }
      EXPECT_EQ(a.depends_on, b.depends_on) << path;
      EXPECT_EQ(a.presets, b.presets) << path;
      EXPECT_EQ(a.env.size(), b.env.size()) << path;
      EXPECT_EQ(a.timeout, b.timeout) << path;
      EXPECT_EQ(a.priority, b.priority) << path;
      EXPECT_EQ(a.resources.memory_bytes, b.resources.memory_bytes) << path;
      EXPECT_EQ(a.secrets.size(), b.secrets.size()) << path;
      EXPECT_EQ(a.for_each.has_value(), b.for_each.has_value()) << path;
      ASSERT_EQ(a.steps.size(), b.steps.size()) << path;
    }
  }
}

TEST(Dialects, DollarsAndBracesOfAValueStayText) {
  const std::string text = "name: a\njob: {command: make}\nenvironment: {A: 'x$${{y}} {{{{z', B: '${{C}}'}\n";
  const Converted one = convert(text, ".reactorcide/jobs/a.yaml", options());
  const ReadResult again = read_workflow(one.yaml, "converted.yaml");
  ASSERT_TRUE(again.workflow.has_value()) << one.yaml << shown(again.problems, one.yaml, "converted.yaml");
  EXPECT_NE(one.yaml.find(R"(x{{ "$${{" }}y}} {{ "{{" }}{{ "{{" }}z)"), std::string::npos) << one.yaml;
}

TEST(Dialects, AnEmptyFileIsAnError) {
  for (const char* name : {".reactorcide/jobs/a.yaml", ".reactorcide/workflows/a.yaml", "a.yaml"}) {
    for (const std::string_view text : {"", "# nothing yet\n"}) {
      const ReadResult read = read_workflow(text, name, options());
      EXPECT_FALSE(read.workflow.has_value()) << name;
      ASSERT_FALSE(read.problems.empty()) << name;
      EXPECT_EQ(read.problems.front().code, "E010");
    }
  }
}

TEST(Dialects, AFileIsToldByItsPlaceElseByItsKeys) {
  const std::pair<const char*, Dialect> kFiles[] = {
      {"workflow: {jobs: [{name: a, run: make}]}", Dialect::slipway},
      {"job: {run: make}", Dialect::slipway},
      {"jobs: [{name: a, run: make}]", Dialect::slipway},
      {"name: a\njob: {command: make}", Dialect::reactorcide_job},
      {"name: a\non: {events: [push]}\njobs: {a: {command: make}}", Dialect::reactorcide_workflow},
      {"job_command: make", Dialect::job_file},
      {"command: make", Dialect::job_file},
      {"projects: []", Dialect::registry},
  };
  for (const auto& [text, dialect] : kFiles) EXPECT_EQ(read_workflow(text, "x.yaml").dialect, dialect) << text;
  EXPECT_EQ(read_workflow("job: {run: make}", ".reactorcide/jobs/x.yaml").dialect, Dialect::reactorcide_job);
  EXPECT_EQ(read_workflow("name: a", "a/b/.reactorcide/workflows/x.yaml").dialect, Dialect::reactorcide_workflow);
  EXPECT_EQ(read_workflow("command: make", ".slipway/jobs/x.yaml").dialect, Dialect::slipway);
  EXPECT_EQ(read_workflow("", "x.yaml").dialect, Dialect::slipway);
}

TEST(Dialects, AVariableOfThisMachineIsPutInOnlyWhereItIsAskedFor) {
  const std::string text = "command: 'true'\nenvironment: {A: 'x${env:WHO}y', B: '${env:NOBODY}'}";
  ReadOptions reading;
  reading.variable = [](const std::string& name) {
    return name == "WHO" ? std::optional<std::string>("me") : std::nullopt;
  };
  const ReadResult with = read_workflow(text, "x.yaml", reading);
  ASSERT_TRUE(with.workflow.has_value());
  EXPECT_EQ(with.workflow->jobs[0].env[0].second.literal(), "xmey");
  EXPECT_EQ(with.workflow->jobs[0].env[1].second.literal(), "");  // not set
  const ReadResult without = read_workflow(text, "x.yaml");
  EXPECT_EQ(without.workflow->jobs[0].env[0].second.literal(), "x${env:WHO}y");
  EXPECT_EQ(without.problems.size(), 2U);  // told, not silent
}

TEST(Dialects, ASecretsValueIsInNoMessage) {
  const std::string text =
      "job_command: make\nsecrets: [{name: TOKEN, value: swordfish}, {name: not a name, value: tuna}]";
  const ReadResult read = read_workflow(text, "x.yaml");
  std::string all;
  for (const Problem& problem : read.problems) all += to_json(problem);
  EXPECT_EQ(all.find("swordfish"), std::string::npos) << all;
  const ReadResult good = read_workflow("job_command: make\nsecrets: [{name: TOKEN, value: swordfish}]", "x.yaml");
  ASSERT_EQ(good.secret_values.size(), 1U);
  EXPECT_EQ(good.secret_values[0].value, "swordfish");
  EXPECT_EQ(
      shown(good.problems, "job_command: make\nsecrets: [{name: TOKEN, value: swordfish}]", "x.yaml").find("swordfish"),
      std::string::npos);
  EXPECT_EQ(convert("job_command: make\nsecrets: [{name: TOKEN, value: swordfish}]", "x.yaml").yaml.find("swordfish"),
            std::string::npos);
}

TEST(Dialects, AJobThatIsCalledOtherwiseNowIsSoWhereverItIsNamed) {
  const Converted made = convert(R"(
name: x
on: {events: [push]}
jobs:
  - {name: 'a/b', command: make}
  - {name: 'a "b"', command: make}
  - {name: d, command: make, needs: ['a "b"', 'a/b'], condition: any_failed}
  - {name: e, command: make, needs: ['a/b', 'a/b', d], condition: any_failed}
)",
                                 "x.yaml");
  const ReadResult again = read_workflow(made.yaml, "converted.yaml");
  ASSERT_TRUE(again.workflow.has_value()) << made.yaml << shown(again.problems, made.yaml, "converted.yaml");
  const auto& jobs = again.workflow->jobs;
  EXPECT_EQ(jobs[2].depends_on, (std::vector<std::string>{"a -b-", "a-b"}));
  EXPECT_EQ(jobs[2].condition->text, R"(any_failed || cancelled("a -b-", "a-b"))");
  EXPECT_EQ(jobs[3].condition->text, R"(any_failed || cancelled("a-b", "a-b", "d"))");
}

TEST(Dialects, AJobForServersOnlyIsSkippedHere) {
  const std::string text = "name: a\njob: {command: make, disable_run_local: true, condition: always}";
  const ReadResult here = read_workflow(text, "x.yaml");
  EXPECT_EQ(here.workflow->jobs[0].condition->text, "false");
  ReadOptions server;
  server.is_local = false;
  EXPECT_EQ(read_workflow(text, "x.yaml", server).workflow->jobs[0].condition->text, "always");
}

TEST(Dialects, NotesNeverPushAnErrorOut) {
  std::string text = "name: a\njob: {command: make}\nenvironment:\n";
  for (int i = 0; i < 300; ++i) text += fmt::format("  V{}: '${{env:X}}'\n", i);
  const ReadResult notes = read_workflow(text, "x.yaml");
  EXPECT_TRUE(notes.workflow.has_value());
  EXPECT_GT(notes.more_problems, 0U);
  EXPECT_FALSE(read_workflow(text + "  LAST: [1]\n", "x.yaml").workflow.has_value());
}

TEST(Registry, AProjectIsFoundByItsRepositoryOrItsName) {
  const std::string text = contents(kGolden / "registry/projects.yaml").value();
  for (const char* url : {"https://git.example.org/team/app.git", "https://git.example.org/team/app/",
                          "git@git.example.org:team/app.git", "ssh://git@git.example.org/team/app"}) {
    const auto read = read_registry(text, "r.yaml", {.name = {}, .url = url});
    ASSERT_TRUE(read) << url;
    ASSERT_EQ(read->size(), 2U);
    EXPECT_EQ((*read)[0].workflow->group, "app");
    EXPECT_EQ((*read)[0].workflow->on.size(), 2U);
  }
  const auto unknown = read_registry(text, "r.yaml", {.name = "nobody", .url = {}});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::not_found);
  EXPECT_NE(unknown.error().what.find("app, other"), std::string::npos);
}

TEST(Command, IsSplitOrGivenToAShell) {
  using Words = std::vector<std::string>;
  const std::pair<const char*, Words> kRules[] = {
      {"make test", {"make", "test"}},
      {"a && b", {"a", "&&", "b"}},
      {"echo 'a b' \"c d\" e\\ f ''", {"echo", "a b", "c d", "e f", ""}},
      {"echo \"a\\\"b\" 'c\\d'", {"echo", "a\"b", "c\\d"}},
      {"echo $HOME", {"sh", "-c", "echo $HOME"}},
      {"echo ${HOME}", {"sh", "-c", "echo ${HOME}"}},
      {"echo $1 costs 5$", {"echo", "$1", "costs", "5$"}},
      {"echo $(date)", {"echo", "$(date)"}},
      {"make\nmake check\n", {"sh", "-c", "make\nmake check\n"}},
      {"  make\ttest  ", {"make", "test"}},
  };
  for (const auto& [text, words] : kRules) EXPECT_EQ(command_words(text, "").words, words) << text;
  EXPECT_EQ(command_words("a\nb", "bash -ec").words, (Words{"bash", "-ec", "a\nb"}));
  EXPECT_EQ(command_words("a b", "bash -ec").words, (Words{"a", "b"}));
  EXPECT_TRUE(command_words("echo 'a", "").quote_is_open);
  EXPECT_EQ(unwrapped_script({"runnerlib", "run", "--job-command", "make x"}), "make x");
  EXPECT_EQ(unwrapped_script({"python", "-m", "runnerlib.cli", "run", "--job-command=make"}), "make");
  EXPECT_EQ(unwrapped_script({"runnerlib", "run", "--dry-run", "--job-command", "make"}), std::nullopt);
  EXPECT_EQ(unwrapped_script({"runnerlib", "eval"}), std::nullopt);
}

TEST(PythonText, IsWhatStrMakesOfAValueOfYaml11) {
  const std::pair<const char*, const char*> kTexts[] = {
      {"8080", "8080"},
      {"true", "True"},
      {"1.5", "1.5"},
      {"yes", "True"},
      {"Off", "False"},
      {"y", "y"},
      {"010", "8"},
      {"0o7", "0o7"},
      {"1e3", "1e3"},
      {"1.0e+3", "1000.0"},
      {".5", "0.5"},
      {"-.5", "-.5"},
      {"12:30:45", "45045"},
      {"1_000", "1000"},
      {"~", "None"},
      {"null", "None"},
      {".inf", "inf"},
      {"-.inf", "-inf"},
      {".nan", "nan"},
      {"0x1F", "31"},
      {"0b101", "5"},
      {"1.", "1.0"},
      {"-0.0", "-0.0"},
      {"1.0e+20", "1e+20"},
      {"190:20:30.15", "685230.15"},
      {"+5", "5"},
      {"-0", "0"},
      {"1.50", "1.5"},
      {"2024-01-01", "2024-01-01"},
      {"0.0001", "0.0001"},
      {"0.00001", "1e-05"},
      {"123456789012345678901234567890", "123456789012345678901234567890"},
      {"1.2.3", "1.2.3"},
      {"v1.0", "v1.0"},
      {"-", "-"},
      {"08", "08"},
      {"1__0", "10"},
      {"0.1e-7", "1e-08"},
      {"12345678901234567.0", "1.2345678901234568e+16"},
      {"1e+3", "1e+3"},
      {"", "None"},
  };
  for (const auto& [text, wanted] : kTexts) {
    Node node;
    node.kind = Node::Kind::scalar;
    node.text = text;
    EXPECT_EQ(python_text(node).value_or("?"), wanted) << text;
    node.plain = false;
    EXPECT_EQ(python_text(node).value_or("?"), text);
  }
  Node time;
  time.kind = Node::Kind::scalar;
  time.text = "2001-12-14t21:59:43.10-05:00";
  EXPECT_EQ(python_text(time), std::nullopt);
}

TEST(Presets, AreAsTheEventIs) {
  const auto read = read_workflow("job: {run: make, presets: [reactorcide]}", "x.yaml");
  ASSERT_TRUE(read.workflow.has_value());
  model::Event event;
  event.kind = model::EventKind::pull_request;
  event.action = "updated";
  event.pull_request = model::PullRequest{7, "t", "main", "topic", true};
  model::Workflow workflow = *read.workflow;
  fill_presets(workflow, event);
  std::map<std::string, std::string> values;
  for (const auto& [name, value] : workflow.presets.at("reactorcide")) {
    if (value.is_literal()) values[name] = value.literal();
  }
  EXPECT_EQ(values["REACTORCIDE_EVENT_TYPE"], "pull_request_updated");
  EXPECT_EQ(values["REACTORCIDE_PR_NUMBER"], "7");
  EXPECT_EQ(values["REACTORCIDE_PR_BASE_REF"], "main");
  EXPECT_EQ(values["REACTORCIDE_IS_FORK_PR"], "true");
  EXPECT_FALSE(read_workflow("workflow: {presets: {reactorcide: {A: b}}, jobs: [{name: a, run: make}]}", "x.yaml")
                   .workflow.has_value());
}

}  // namespace
}  // namespace slipway::definition
