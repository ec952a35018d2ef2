#include <sys/stat.h>

#include <map>

#include <fmt/format.h>

#include "init/job.h"
#include "init/junit.h"
#include "init/junit_files.h"
#include "init/workspace_files.h"

// The part of Job that reads what the steps left in files: outputs, variables, triggers, test results.
namespace slipway::init {

namespace {

using journal::RecordType;

// A record may hold 1 MiB, and JSON six bytes for one.
constexpr std::size_t kTestsARecord = 200, kTestBytesARecord = 100'000;

void tell_unread(RecordKeeper& records, const Error& why) {
  records.append(
      RecordType::annotation, journal::kNoStep,
      wire::payload::Annotation{wire::payload::Annotation::Level::error, "not read", records.masked(why.what), {}, 0});
}

}  // namespace

/// Neither file is there: spares a process. Names only; nothing of the job's is opened.
bool Job::left_nothing_behind() const {
  for (const std::string_view name :
       {std::string_view("outputs.env"), std::string_view("triggers.json"), std::string_view(kVariablesFile)}) {
    struct stat status{};
    if (::lstat(fmt::format("{}/{}", entry_.workspace, name).c_str(), &status) == 0) return false;
  }
  return true;
}

void Job::take_workspace_files(const Result<std::string>& text) {
  const auto refuse = [this](const Error& error) { tell_unread(*records_, error); };
  if (!text) return refuse(text.error());
  const auto files = split_files(*text);
  if (!files) return refuse(files.error());
  if (const auto outputs = parse_outputs(files->outputs); outputs) {
    for (const auto& [name, value] : *outputs) {
      const auto set = requests_->set(journal::kNoStep, {wire::payload::OutputVariable::Kind::output, name, value});
      if (!set) return refuse(set.error());
    }
  } else {
    refuse(outputs.error());
  }
  take_variables(files->variables);
  if (!files->triggers.empty()) requests_->trigger(journal::kNoStep, files->triggers, "triggers.json");
}

void Job::take_variables(const std::string& json) {
  if (json.empty()) return;
  using Kind = wire::payload::OutputVariable::Kind;
  const auto taken = [&]() -> Result<void> {
    SW_TRY(const Variables variables, parse_variables(json));
    std::vector<wire::payload::OutputVariable> all;
    for (const auto& [name, value] : variables.outputs) all.push_back({Kind::output, name, value});
    for (const auto& [name, value] : variables.vars) all.push_back({Kind::var, name, value});
    return requests_->set_all(journal::kNoStep, all);
  }();
  if (!taken) tell_unread(*records_, taken.error());
}

void Job::collect_tests() {
  if (orders_.job.tests.empty() || not_run_) return collect_bundles();
  auto files = artifact_task(entry_.workspace, "tests", orders_.job.tests);
  if (!files) {
    take_tests(std::unexpected(std::move(files).error()));
    return collect_bundles();
  }
  const std::string program = entry_.runtime_dir + "/bin/slipway";
  bundles_->run(
      identity_, {}, [files = *std::move(files), program] { return gather_junit(files, program); },
      [this](const Result<std::string>& text) {
        take_tests(text);
        collect_bundles();
      });
}

void Job::take_tests(const Result<std::string>& text) {
  const auto warn = [this](wire::payload::Annotation annotation) {
    annotation.file = records_->masked(annotation.file);
    annotation.message = records_->masked(annotation.message);
    records_->append(RecordType::annotation, journal::kNoStep, annotation);
  };
  wire::payload::Annotation trouble;
  trouble.level = wire::payload::Annotation::Level::warning;
  trouble.title = "tests";
  const auto answer = text ? parse_junit_answer(*text) : Result<JunitAnswer>(std::unexpected(text.error()));
  if (!answer) {
    if (forced_) return;  // it was stopped before it had any
    trouble.message = answer.error().kind == ErrorKind::not_found ? "no file is where the job's test results are to be"
                                                                  : "not read: " + answer.error().what;
    return warn(trouble);
  }
  for (const wire::payload::Annotation& problem : answer->problems) warn(problem);
  // Names tell results apart: of what has the same, the second is `name (2)`.
  std::map<std::pair<std::string, std::string>, int> known;
  wire::payload::Tests batch;
  std::size_t bytes = 0;
  const auto flush = [&] {
    if (batch.results.empty()) return;
    records_->append(RecordType::tests, journal::kNoStep, batch);
    ++test_records_;
    batch.results.clear();
    bytes = 0;
  };
  for (model::TestResult one : answer->results) {
    const JunitLimits limits;
    for (std::string* part : {&one.suite, &one.name}) *part = records_->masked_cut(*part, limits.name);
    // A message that is a text's first line was cut sooner, and a text lost the blanks around it.
    one.message = records_->masked_cut(one.message, limits.first_line);
    one.text = records_->masked_cut(one.text, limits.text / 2);
    const int number = ++known[{one.suite, one.name}];
    if (number > 1) one.name += fmt::format(" ({})", number);
    bytes += one.suite.size() + one.name.size() + one.message.size() + one.text.size();
    batch.results.push_back(std::move(one));
    if (batch.results.size() >= kTestsARecord || bytes >= kTestBytesARecord) flush();
  }
  flush();
}

}  // namespace slipway::init
