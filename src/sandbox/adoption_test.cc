// What sandbox.h promises of owners that die: held by every backend that this machine offers.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include <gtest/gtest.h>

#include "journal/reader.h"
#include "os/file_lock.h"
#include "os/wait.h"
#include "sandbox/test_support.h"
#include "wire/journal_json.h"
#include "wire/leash.h"

namespace slipway::sandbox {
namespace {

using namespace std::chrono_literals;

// A slipway that dies while a job runs in its sandbox, and the next one. The sandbox's init is the real one.
class Adoption : public testing::TestWithParam<Kind> {
 protected:
  static constexpr auto kLong = 60s;
  static os::CallLimit soon() { return os::within(10s); }

  void SetUp() override {
    const auto here = open();  // no thread of it lives when the owner is forked
    if (!here) GTEST_SKIP() << here.error().what;
    if (const std::string why = (*here)->capabilities().no_adoption; !why.empty()) GTEST_SKIP() << why;
  }
  void TearDown() override {
    if (owner_ > 0) kill_owner();
    if (!backend_) return;
    (void)backend_->adopt(id_, soon());  // a test may have left it alone
    EXPECT_TRUE(backend_->destroy(id_, soon()));
    EXPECT_TRUE(backend_->sweep(soon()));
    EXPECT_TRUE(is_swept());
  }
  Result<std::unique_ptr<SandboxBackend>> open() { return GetParam().make(place_, SLIPWAY_INIT_PROGRAM, log_); }
  bool is_process() const { return GetParam().runs_commands; }
  bool is_swept() const {
    const auto sandboxes = place_.path() / "state" / "sandboxes";
    return !std::filesystem::exists(sandboxes) || std::filesystem::is_empty(sandboxes);
  }
  std::string last_step() const { return is_process() ? "exec sleep 600" : "sleep-forever"; }

  // As far as the owner is needed: it has seen that the job prints `begun`.
  Result<Started> begin(SandboxBackend& backend, const std::vector<std::string>& scripts, Duration grace) {
    SW_TRY(const ImageFacts facts, backend.prepare_image(GetParam().image, {}, soon()));
    SandboxSpec spec;
    spec.id = id_;
    spec.image = facts.image;
    spec.network = model::Network::none;
    spec.orphan_grace = grace;
    SW_TRY(Started started, backend.start(spec, soon()));
    os::MessageSocket leash(os::Fd(::fcntl(started.leash.get(), F_DUPFD_CLOEXEC, 3)));
    wire::Orders orders;
    orders.job.job = "test";
    orders.job.grace = 1s;
    for (const std::string& script : scripts) {
      model::StepSpec& step = orders.job.steps.emplace_back();
      step.name = "s" + std::to_string(orders.job.steps.size());
      step.action = model::Script{script};
      step.shell = {"sh", "-e"};
      step.working_dir = "/";
    }
    SW_TRY(const os::Fd journal, os::open_file(journal_path(), O_RDWR | O_CREAT, 0600));
    SW_TRY(const os::Fd ring, os::open_file(place_.path() / "ring", O_RDWR | O_CREAT, 0600));
    SW_CHECK(leash.send(wire::encode(wire::ToInit(orders)), {journal.get(), ring.get()}, soon()));
    // What init says goes ahead of what it writes, or behind.
    for (const os::CallLimit limit = soon(); output().find("begun\n") == std::string::npos;) {
      const auto heard = leash.receive(os::within(20ms));
      if (!heard && (heard.error().kind != ErrorKind::timeout || os::Clock::now() > limit.deadline)) {
        return std::unexpected(heard.error());
      }
    }
    return started;
  }
  void start_owner(const std::vector<std::string>& scripts, Duration grace) {
    if (!is_process()) {
      backend_ = open().value();
      auto started = begin(*backend_, scripts, grace);
      ASSERT_TRUE(started) << started.error().what;
      leash_of_dead_ = std::move(started->leash);
      return;
    }
    os::Pipe told = fork_owner(scripts, grace);
    const auto said = os::read_all(told.read.get(), 1U << 16U);
    ASSERT_TRUE(said && *said == "ok") << said.value_or("nothing");
    backend_ = open().value();
  }
  os::Pipe fork_owner(const std::vector<std::string>& scripts, Duration grace) {
    os::Pipe told = os::make_pipe().value();
    owner_ = ::fork();
    if (owner_ == 0) {
      auto backend = open();
      const auto begun = backend ? begin(**backend, scripts, grace) : Result<Started>(std::unexpected(backend.error()));
      (void)os::write_all(told.write.get(), begun ? "ok" : begun.error().what);
      told.write.reset();
      for (;;) ::pause();
    }
    told.write.reset();
    return told;
  }
  void kill_owner() {
    leash_of_dead_.reset();
    if (owner_ <= 0) return;
    ::kill(owner_, SIGKILL);
    ::waitpid(std::exchange(owner_, -1), nullptr, 0);
  }
  std::filesystem::path journal_path() const { return place_.path() / "journal"; }
  std::string output() const { return read_journal().first; }
  // What was printed, and how it ended.
  std::pair<std::string, std::optional<model::Outcome>> read_journal() const {
    std::pair<std::string, std::optional<model::Outcome>> found;
    auto file = os::open_file(journal_path(), O_RDONLY);
    auto reader = file ? journal::Reader::open_plain(std::move(*file)) : fail(ErrorKind::not_found, "no journal");
    for (; reader;) {
      const auto next = reader->next();
      if (!next || next->what != journal::Next::What::record) break;
      if (next->record.type == journal::RecordType::output_stdout) found.first += next->record.payload;
      if (next->record.type != journal::RecordType::attempt_finished) continue;
      const auto end = wire::payload::decode<wire::payload::AttemptFinished>(next->record.payload);
      if (end) found.second = end->report.outcome;
    }
    return found;
  }
  // Until a sweeper would find it.
  void await_its_end() {
    const auto has_ended = [&] {
      if (!is_process()) return backend_->wait(id_, os::within(20ms)).has_value();
      return backend_->list_abandoned().value() == std::vector{id_};
    };
    const os::Deadline latest = os::Clock::now() + 20s;
    while (!has_ended() && os::Clock::now() < latest) (void)os::wait_any_readable({}, os::within(10ms));
    EXPECT_TRUE(has_ended());
  }

  TestPlace place_;
  SilentLog log_;
  const SandboxId id_{new_id()};
  pid_t owner_ = -1;
  os::Fd leash_of_dead_;
  std::unique_ptr<SandboxBackend> backend_;
};

TEST_P(Adoption, TheNextOwnerSeesTheJobRunAndCancelsIt) {
  start_owner({"echo begun", last_step()}, kLong);
  ASSERT_TRUE(backend_);
  EXPECT_EQ(backend_->adopt(id_, soon()).error().kind, ErrorKind::conflict) << "its owner lives";
  kill_owner();
  EXPECT_TRUE(backend_->sweep(soon())) << "which leaves it alone";
  EXPECT_TRUE(backend_->list_abandoned()->empty());
  auto adopted = backend_->adopt(id_, soon());
  ASSERT_TRUE(adopted) << adopted.error().what;
  EXPECT_TRUE(backend_->list_orphans()->empty());
  EXPECT_FALSE(backend_->wait(id_, os::within(20ms)));
  EXPECT_TRUE(backend_->usage(id_));

  os::MessageSocket leash(std::move(adopted->leash));
  const auto first = leash.receive(soon());
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_TRUE(std::holds_alternative<wire::Running>(wire::decode_to_owner(first->text).value()));
  ASSERT_TRUE(leash.send(wire::encode(wire::ToInit(wire::Cancel{})), {}, soon()));
  const auto ended = backend_->wait(id_, soon());
  EXPECT_TRUE(ended) << ended.error().what;
  EXPECT_EQ(read_journal().second, model::Outcome::cancelled);
}

TEST_P(Adoption, AnOrphanIsListedAndHasOneOwnerAtATime) {
  start_owner({"echo begun", last_step()}, kLong);
  ASSERT_TRUE(backend_);
  EXPECT_TRUE(backend_->list_orphans()->empty());
  kill_owner();
  if (is_process()) {
    EXPECT_EQ(backend_->list_orphans().value(), std::vector{id_});
  }
  auto adopted = backend_->adopt(id_, soon());
  ASSERT_TRUE(adopted) << adopted.error().what;
  const auto other = is_process() ? open() : fail(ErrorKind::not_found, "its sandboxes are in one process");
  const auto refused = (other ? **other : *backend_).adopt(id_, soon());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::conflict) << refused.error().what;
  EXPECT_FALSE(backend_->adopt(SandboxId("never-was"), soon()));
  EXPECT_TRUE(backend_->destroy(id_, soon()));
  EXPECT_EQ(backend_->adopt(id_, soon()).error().kind, ErrorKind::not_found);
}

TEST_P(Adoption, WhoIsNotAdoptedEndsWithItsGraceAndIsSwept) {
  start_owner({"echo begun", last_step()}, 300ms);
  ASSERT_TRUE(backend_);
  kill_owner();
  await_its_end();
  EXPECT_EQ(backend_->adopt(id_, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(read_journal().second, std::nullopt);
}

TEST_P(Adoption, AJobThatEndsAloneLeavesAWholeJournal) {
  if (!is_process()) GTEST_SKIP() << "its jobs take no time";
  start_owner({"echo begun", "sleep 1; exit 7"}, kLong);
  ASSERT_TRUE(backend_);
  kill_owner();
  await_its_end();
  EXPECT_EQ(backend_->adopt(id_, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(read_journal().second, model::Outcome::failed);
}

TEST_P(Adoption, AnOwnerThatWasAdoptedFromMayDieToo) {
  if (!is_process()) GTEST_SKIP() << "its sandboxes are in one process";
  start_owner({"echo begun", last_step()}, kLong);
  ASSERT_TRUE(backend_);
  for (int i = 0; i < 3; ++i) {
    kill_owner();
    backend_.reset();
    owner_ = ::fork();
    if (owner_ == 0) {
      auto next = open();
      const bool adopted = next && (*next)->adopt(id_, soon());
      ::_exit(adopted ? 0 : 1);  // as good as killed
    }
    int status = -1;
    ::waitpid(std::exchange(owner_, -1), &status, 0);
    EXPECT_EQ(status, 0) << i;
    backend_ = open().value();
  }
  EXPECT_TRUE(backend_->adopt(id_, soon()));
  EXPECT_TRUE(backend_->usage(id_));
}

TEST_P(Adoption, NobodyTakesTheSlotOfAnOrphan) {
  if (GetParam().name != "native") GTEST_SKIP() << "it has none";
  start_owner({"echo begun", last_step()}, kLong);
  ASSERT_TRUE(backend_);
  kill_owner();
  const auto take = [&] {
    return os::FileLock::try_acquire(place_.path() / "runtime/slots/0", os::LockMode::exclusive)->has_value();
  };
  EXPECT_FALSE(take());
  EXPECT_TRUE(backend_->adopt(id_, soon()));
  EXPECT_TRUE(backend_->destroy(id_, soon()));
  EXPECT_FALSE(take()) << "kept for the next sandbox of this process";
  backend_.reset();
  EXPECT_TRUE(take());
  backend_ = open().value();
}

TEST_P(Adoption, NoStepGetsToWhereTheNextOwnerComesIn) {
  if (!is_process()) GTEST_SKIP() << "it runs nothing";
  const std::string listener = place_.path() / "state/sandboxes" / id_.value / "next-owner";
  start_owner({"[ ! -e " + listener + " ] || echo its path",
               "for fd in /proc/1/fd/*; do [ ! -e $fd ] || echo descriptor $fd of init; done",
               "for fd in /proc/self/fd/*; do [ ! -S $fd ] || echo inherited $fd; done", "echo begun", last_step()},
              kLong);
  EXPECT_EQ(output(), "begun\n");
  EXPECT_TRUE(std::filesystem::is_socket(listener));
}

TEST_P(Adoption, AnOwnerMayDieAtAnyMoment) {
  if (!is_process()) GTEST_SKIP() << "its sandboxes die with it";
  const char* wanted = std::getenv("SLIPWAY_CRASHES");
  const int crashes = wanted != nullptr ? std::atoi(wanted) : 30;
  std::mt19937 seeded(4);  // NOLINT: the same moments every time
  std::uniform_int_distribution<int> moment(0, GetParam().name == "docker" ? 400 : 60);
  int adopted = 0;
  for (int i = 0; i < crashes; ++i) {
    std::filesystem::remove(journal_path());
    const os::Pipe told = fork_owner({"echo begun", last_step()}, kLong);
    (void)os::wait_any_readable({}, os::within(std::chrono::milliseconds(moment(seeded))));
    kill_owner();
    backend_ = open().value();
    // One whose orders came too late, or not at all, ends by itself.
    const os::Deadline latest = os::Clock::now() + 20s;
    while (!is_swept() && os::Clock::now() < latest) {
      const auto orphans = backend_->list_orphans().value();
      for (const SandboxId& id : orphans) {
        adopted += backend_->adopt(id, soon()).has_value() ? 1 : 0;
        EXPECT_TRUE(backend_->destroy(id, soon()));
      }
      EXPECT_TRUE(backend_->sweep(soon()));
    }
    ASSERT_TRUE(is_swept()) << "crash " << i;
    backend_.reset();
  }
  RecordProperty("adopted", adopted);
  backend_ = open().value();
}

INSTANTIATE_TEST_SUITE_P(Backends, Adoption, kBackends, kNameOfBackend);

}  // namespace
}  // namespace slipway::sandbox
