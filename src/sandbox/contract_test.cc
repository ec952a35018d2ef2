// The contract of sandbox.h, held by every backend that this machine offers.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "journal/reader.h"
#include "os/file_lock.h"
#include "os/subprocess.h"
#include "os/wait.h"
#include "sandbox/docker/docker_backend.h"
#include "sandbox/fake/fake_backend.h"
#include "sandbox/native/test_support.h"
#include "wire/journal_json.h"
#include "wire/leash.h"

namespace slipway::sandbox {
namespace {

using namespace std::chrono_literals;

constexpr const char* kDockerImage = "slipway-contract-test:shell";

struct Kind {
  std::string name;
  /// With this program as their init.
  std::function<Result<std::unique_ptr<SandboxBackend>>(const TestPlace&, const char*, Log&)> make;
  std::string image = "host";
  bool runs_commands = true;  ///< else it only plays
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class Contract : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    make_backend();
    if (!backend_) return;
    const auto facts = backend_->prepare_image(GetParam().image, {}, soon());
    ASSERT_TRUE(facts) << facts.error().what;
    image_ = facts->image;
  }
  SandboxSpec spec() const {
    SandboxSpec made;
    made.id = SandboxId(new_id());
    made.image = image_;
    made.network = model::Network::none;
    return made;
  }
  void make_backend() {
    auto made = GetParam().make(place_, SLIPWAY_SHELL_INIT, log_);
    if (!made) GTEST_SKIP() << made.error().what;
    backend_ = std::move(*made);
  }
  static os::CallLimit soon() { return os::within(10s); }
  bool is_swept() const {
    const auto sandboxes = place_.path() / "state" / "sandboxes";
    return !std::filesystem::exists(sandboxes) || std::filesystem::is_empty(sandboxes);
  }

  TestPlace place_;
  SilentLog log_;
  std::unique_ptr<SandboxBackend> backend_;
  std::string image_;
};

TEST_P(Contract, SandboxWaitsForItsOrdersAndEndsWithItsLeash) {
  auto started = backend_->start(spec(), soon());
  ASSERT_TRUE(started) << started.error().what;
  const auto early = backend_->wait(started->id, os::within(50ms));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().kind, ErrorKind::timeout);
  started->leash.reset();
  const auto ended = backend_->wait(started->id, os::within(1s));
  EXPECT_TRUE(ended) << ended.error().what;
  EXPECT_TRUE(backend_->destroy(started->id, soon()));
}

TEST_P(Contract, AnImageThatIsPreparedCanBePreparedAgainByWhatItIsCalledNow) {
  const auto again = backend_->prepare_image(image_, {}, soon());
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->image, image_);
}

TEST_P(Contract, TheHostIsAnImageThatNeedsNoPreparation) {
  if (GetParam().image != "host") GTEST_SKIP() << "this backend cannot show the host's files";
  const auto facts = backend_->prepare_image("host", {}, soon());
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->image, "host");
  EXPECT_EQ(facts->digest, "");
}

TEST_P(Contract, DestroyEndsWhatRunsAndMayBeRepeated) {
  auto started = backend_->start(spec(), soon());
  ASSERT_TRUE(started) << started.error().what;
  EXPECT_TRUE(backend_->destroy(started->id, soon()));
  pollfd leash{started->leash.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&leash, 1, 1000), 1) << "init's end of the leash is still open";
  EXPECT_TRUE(backend_->destroy(started->id, soon()));
  EXPECT_TRUE(backend_->wait(started->id, soon()));
  EXPECT_TRUE(backend_->destroy(SandboxId("never-was"), soon()));
}

TEST_P(Contract, LiveSandboxesAreNeitherListedNorSwept) {
  auto started = backend_->start(spec(), soon());
  ASSERT_TRUE(started) << started.error().what;
  const auto listed = backend_->list_abandoned();
  ASSERT_TRUE(listed) << listed.error().what;
  EXPECT_TRUE(listed->empty());
  EXPECT_TRUE(backend_->sweep(soon()));
  EXPECT_FALSE(backend_->wait(started->id, os::within(20ms)));
  EXPECT_TRUE(backend_->destroy(started->id, soon()));
}

TEST_P(Contract, ManyThreadsMayStartAndDestroyAtOnce) {
  std::vector<std::jthread> threads;
  std::atomic<int> failures = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        auto started = backend_->start(spec(), soon());
        if (!started || !backend_->destroy(started->id, soon())) ++failures;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(failures, 0);
}

TEST_P(Contract, UsageIsKnownUntilDestroy) {
  auto started = backend_->start(spec(), soon());
  ASSERT_TRUE(started) << started.error().what;
  EXPECT_TRUE(backend_->usage(started->id));
  EXPECT_TRUE(backend_->destroy(started->id, soon()));
  EXPECT_FALSE(backend_->usage(started->id));
}

TEST_P(Contract, StoppedCallerGetsItsCallBack) {
  std::stop_source stop;
  stop.request_stop();
  auto started = backend_->start(spec(), soon());
  ASSERT_TRUE(started) << started.error().what;
  const auto waited = backend_->wait(started->id, os::within(10s, stop.get_token()));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, ErrorKind::cancelled);
  EXPECT_TRUE(backend_->destroy(started->id, soon()));
}

TEST_P(Contract, WhatADeadOwnerLeftIsListedAndSwept) {
  if (!GetParam().runs_commands) GTEST_SKIP() << "it leaves nothing";
  std::vector<Started> left;
  std::set<SandboxId> expected;
  for (int i = 0; i < 3; ++i) {
    auto started = backend_->start(spec(), soon());
    ASSERT_TRUE(started) << started.error().what;
    expected.insert(started->id);
    left.push_back(std::move(*started));
  }
  backend_.reset();  // its locks go with it, and its leashes, as with a dead process
  left.clear();
  make_backend();
  ASSERT_TRUE(backend_) << "it is not there any more";
  auto listed = backend_->list_abandoned();
  ASSERT_TRUE(listed) << listed.error().what;
  EXPECT_EQ(std::set(listed->begin(), listed->end()), expected);
  // One is destroyed by name, the others swept.
  EXPECT_TRUE(backend_->destroy(*expected.begin(), soon()));
  EXPECT_TRUE(backend_->sweep(soon()));
  listed = backend_->list_abandoned();
  EXPECT_TRUE(listed && listed->empty());
  EXPECT_TRUE(is_swept());
}

// A sandbox with limits in which a shell obeys.
class Limits : public Contract {
 protected:
  void start(const sandbox::Limits& limits) {
    if (!GetParam().runs_commands) GTEST_SKIP() << "it only plays";
    SandboxSpec wanted = spec();
    wanted.limits = limits;
    auto started = backend_->start(wanted, soon());
    ASSERT_TRUE(started) << started.error().what;
    id_ = started->id;
    leash_ = std::make_unique<os::MessageSocket>(std::move(started->leash));
  }
  void TearDown() override {
    if (!leash_) return;
    EXPECT_TRUE(backend_->destroy(id_, soon()));
    EXPECT_TRUE(is_swept());
  }
  Answer run(const std::string& command) { return leash_ ? ask(*leash_, "runner " + command) : Answer{}; }
  Usage usage() { return backend_->usage(id_).value_or(Usage{}); }

  SandboxId id_;
  std::unique_ptr<os::MessageSocket> leash_;
};

TEST_P(Limits, OfMemoryEndsTheStepAndIsTold) {
  if (!backend_->capabilities().limits.memory) GTEST_SKIP() << "no memory limit can be held here";
  start({.memory_bytes = 64U << 20U});
  if (!leash_) return;
  EXPECT_EQ(usage().out_of_memory_kills, 0U);
  const Answer hog = run("exec tail /dev/zero");
  EXPECT_EQ(hog.code, 128 + SIGKILL) << hog.output;
  EXPECT_EQ(run("echo next").output, "next\n") << "init is not what the kernel takes";
  EXPECT_GE(usage().out_of_memory_kills, 1U);
  EXPECT_GT(usage().memory_peak_bytes, 32U << 20U);
}

constexpr const char* kFortyProcesses =
    "exec 2>&1; i=0; while [ $i -lt 40 ]; do sleep 5 >/dev/null 2>&1 & i=$((i+1)); done; echo all";

TEST_P(Limits, OfProcessesTakesNoneWhereItIsLarge) {
  start({.pids = 1000});
  if (!leash_) return;
  EXPECT_EQ(run(kFortyProcesses).output, "all\n");
}

TEST_P(Limits, OfProcessesHolds) {
  if (!backend_->capabilities().limits.pids) GTEST_SKIP() << "no limit of processes can be held here";
  start({.pids = 16});
  if (!leash_) return;
  const Answer bomb = run(kFortyProcesses);
  EXPECT_EQ(bomb.output.find("all"), std::string::npos) << bomb.output;
  EXPECT_GT(bomb.code, 0) << "the shell could not fork and says so";
  EXPECT_NE(bomb.output, "");
}

TEST_P(Limits, OfProcessorTimeHolds) {
  if (!backend_->capabilities().limits.cpus) GTEST_SKIP() << "no limit of processor time can be held here";
  start({.cpus = 0.2});
  if (!leash_) return;
  const auto before = usage().cpu_micros;
  const auto began = std::chrono::steady_clock::now();
  run("(while :; do :; done) & one=$!; (while :; do :; done) & sleep 1; kill $one $!");
  const auto wall = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
  const auto used = usage().cpu_micros - before;
  EXPECT_GT(used, 10'000U);
  EXPECT_LT(static_cast<double>(used), 0.2 * static_cast<double>(wall.count()) + 150'000) << "one period more or less";
}

// With a shell, which is all that slipway-init for tests needs of it.
Result<void> import_image(docker::Engine& engine, const TestPlace& place) {
  const std::string target = std::string("/images/") + kDockerImage + "/json";
  if (engine.get(target, os::within(10s))) return {};
  const std::filesystem::path root = place.path() / "image";
  if (!std::filesystem::exists("/bin/busybox")) return fail(ErrorKind::not_found, "no static busybox here");
  std::filesystem::create_directories(root / "bin");
  std::filesystem::copy("/bin/busybox", root / "bin" / "busybox");
  for (const char* name : {"sh", "sleep", "tail"}) std::filesystem::create_symlink("busybox", root / "bin" / name);
  constexpr std::size_t kMostTar = 16U << 20U;
  SW_TRY(const os::CommandOutput tar,
         os::run_command({.argv = {"tar", "-C", root.string(), "-c", "."}}, kMostTar, os::within(10s)));
  SW_CHECK(engine.post(std::string("/images/create?fromSrc=-&repo=") + "slipway-contract-test&tag=shell", tar.out,
                       os::within(10s)));
  return {};
}

// A daemon that runs already.
Result<std::unique_ptr<SandboxBackend>> make_docker(const TestPlace& place, const char* init, Log& log) {
  const char* host = std::getenv("DOCKER_HOST");
  const std::string docker_host = host != nullptr ? host : "";
  SW_TRY(const std::filesystem::path socket, docker::daemon_socket(docker_host));
  docker::Engine engine(socket);
  SW_CHECK(engine.negotiate(os::within(10s)));
  SW_CHECK(import_image(engine, place));
  return docker::DockerBackend::open({place.path() / "state", init, docker_host}, log);
}

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

TEST(FakeBackend, TakesNoMoreThanItsThreadCanWaitFor) {
  const auto backend = FakeBackend::create();
  ASSERT_TRUE(backend);
  SandboxSpec spec;
  for (std::size_t i = 0; i < FakeBackend::kMost; ++i) {
    spec.id = SandboxId(std::to_string(i));
    ASSERT_TRUE((*backend)->start(spec, {})) << i;
  }
  spec.id = SandboxId("one-more");
  const auto refused = (*backend)->start(spec, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::exhausted);
  ASSERT_TRUE((*backend)->destroy(SandboxId("0"), os::within(std::chrono::seconds(20))));
  EXPECT_TRUE((*backend)->start(spec, {}));
}

const auto kBackends = testing::Values(
    Kind{"fake",
         [](const TestPlace&, const char*, Log&) -> Result<std::unique_ptr<SandboxBackend>> {
           return FakeBackend::create();
         },
         "host", false},
    Kind{"native",
         [](const TestPlace& place, const char* init, Log& log) -> Result<std::unique_ptr<SandboxBackend>> {
           native::NativeOptions options = place.options();
           options.init_program = init;
           return native::NativeBackend::open(options, log);
         }},
    Kind{"docker", make_docker, kDockerImage});
const auto kName = [](const auto& backend) { return backend.param.name; };

INSTANTIATE_TEST_SUITE_P(Backends, Contract, kBackends, kName);
INSTANTIATE_TEST_SUITE_P(Backends, Limits, kBackends, kName);
INSTANTIATE_TEST_SUITE_P(Backends, Adoption, kBackends, kName);

}  // namespace
}  // namespace slipway::sandbox
