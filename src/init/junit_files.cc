#include "init/junit_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/text.h"
#include "init/junit.h"
#include "os/bundle_stream.h"
#include "os/files.h"
#include "os/seccomp.h"
#include "os/subprocess.h"

namespace slipway::init {

namespace {

using namespace std::chrono_literals;

constexpr auto kParseLimit = 30s;
constexpr std::size_t kMostAnswer = kMaxHelperAnswer - (64U << 10U);
constexpr std::size_t kBatch = 100;  // results a line of the answer
constexpr rlim_t kMostMemory = 512U << 20U;
constexpr std::size_t kMostProblems = 100;

constexpr char kTests = 'T', kProblem = 'P';

std::size_t size_of(const model::TestResult& one) {
  return one.suite.size() + one.name.size() + one.message.size() + one.text.size() + 100;
}

// Lines of the answer: a letter, then JSON. Within what the helper may say.
class Answer {
 public:
  void add(const std::string& file, const JunitProblem& problem) {
    if (problems_++ >= kMostProblems) return;
    wire::payload::Annotation annotation;
    annotation.level = wire::payload::Annotation::Level::warning;
    annotation.title = "tests";
    annotation.file = file;
    annotation.line = problem.line;
    annotation.message = problem.message;
    text_ += fmt::format("{}{}\n", kProblem, wire::payload::encode(annotation));
  }
  /// False: it is full.
  bool add(std::vector<model::TestResult>& results) {
    wire::payload::Tests batch;
    for (model::TestResult& one : results) {
      // JSON may take several bytes for one. Texts of the first failures are worth more than those of the last.
      if (text_.size() + batch_bytes_ * 2 + size_of(one) * 2 > kMostAnswer / 2) one.text.clear();
      if (text_.size() + batch_bytes_ * 2 + size_of(one) * 2 > kMostAnswer) return flush(batch), false;
      batch_bytes_ += size_of(one);
      batch.results.push_back(std::move(one));
      if (batch.results.size() == kBatch) flush(batch);
    }
    flush(batch);
    return true;
  }
  const std::string& text() const { return text_; }

 private:
  void flush(wire::payload::Tests& batch) {
    batch_bytes_ = 0;
    if (batch.results.empty()) return;
    text_ += fmt::format("{}{}\n", kTests, wire::payload::encode(batch));
    batch.results.clear();
  }
  std::string text_;
  std::size_t batch_bytes_ = 0, problems_ = 0;
};

Result<std::string> read_content(os::EntryReader& reader, std::uint64_t size) {
  std::string content;
  content.reserve(std::min(size, kMostJunitBytes));
  for (;;) {
    SW_TRY(const std::string_view piece, reader.content());
    if (piece.empty()) break;
    content += piece;
  }
  SW_CHECK(reader.close_entry());
  return content;
}

Result<void> read_bundle(Answer& answer) {
  os::EntryReader reader(STDIN_FILENO);
  SW_CHECK(reader.begin());
  JunitLimits limits;
  for (;;) {
    SW_TRY(const os::EntryHeader entry, reader.next());
    if (entry.kind == os::EntryHeader::Kind::end) return {};
    SW_TRY(const std::string content, read_content(reader, entry.size));
    if (entry.kind != os::EntryHeader::Kind::file) continue;
    std::vector<model::TestResult> results;
    const auto problem = parse_junit(content, limits, results);
    limits.cases -= results.size();
    if (problem) answer.add(entry.path, *problem);
    if (answer.add(results)) continue;
    answer.add(entry.path, {"the job has more test results than can be kept: the rest is left out", 0});
    return {};
  }
}

}  // namespace

Result<std::string> gather_junit(const BundleTask& files, const std::string& program) {
  const os::Fd bundle(::memfd_create("junit", MFD_CLOEXEC));
  if (!bundle) return fail_errno(errno, "memory for test results");
  const os::Fd root(os::open_job_directory(files.root.c_str()));
  if (!root) return fail_errno(errno, "opening " + files.root);
  SW_TRY(const os::BundleReport report, os::pack(root.get(), files.globs, bundle.get(), os::Links::refuse,
                                                 {.bytes = kMostJunitBytes, .files = kMostJunitFiles}));
  if (::lseek(bundle.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "reading test results");
  SW_TRY(os::CommandOutput read, os::run_command({.argv = {program, "read-junit"},
                                                  .environment = {"PATH=/usr/bin:/bin"},
                                                  .working_dir = {},
                                                  .fds = {},
                                                  .stdin_fd = bundle.get()},
                                                 kMaxHelperAnswer, os::within(kParseLimit)));
  if (read.exit_code != 0) {
    return fail(ErrorKind::unavailable, fmt::format("the reader of JUnit files ended with {}", read.exit_code));
  }
  Answer refused;
  for (const std::string& one : report.refused) refused.add("", {"not read: " + one, 0});
  return refused.text() + read.out;
}

int read_junit() {
  const rlimit memory{kMostMemory, kMostMemory};
  if (::setrlimit(RLIMIT_AS, &memory) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 1;
  if (!os::apply_reader_filter()) return 1;
  Answer answer;
  if (!read_bundle(answer)) return 1;
  return os::write_all(STDOUT_FILENO, answer.text()) ? 0 : 1;
}

Result<JunitAnswer> parse_junit_answer(std::string_view text) {
  JunitAnswer answer;
  const JunitLimits limits;
  const auto cut = [](std::string& value, std::size_t most) {
    if (value.size() > most) value.resize(most);
  };
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    if (line[0] == kProblem) {
      SW_TRY(wire::payload::Annotation problem, wire::payload::decode<wire::payload::Annotation>(line.substr(1)));
      if (answer.problems.size() < kMostProblems) answer.problems.push_back(std::move(problem));
      continue;
    }
    if (line[0] != kTests) return fail(ErrorKind::invalid, "the reader of JUnit files is not understood");
    SW_TRY(wire::payload::Tests tests, wire::payload::decode<wire::payload::Tests>(line.substr(1)));
    for (model::TestResult& one : tests.results) {
      if (answer.results.size() >= limits.cases) return answer;
      cut(one.suite, limits.name);
      cut(one.name, limits.name);
      cut(one.message, limits.message);
      cut(one.text, limits.text);
      answer.results.push_back(std::move(one));
    }
  }
  return answer;
}

}  // namespace slipway::init
