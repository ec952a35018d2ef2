// The contract of sandbox.h, held by every backend that this machine offers.
#include <poll.h>

#include <csignal>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "sandbox/test_support.h"

namespace slipway::sandbox {
namespace {

using namespace std::chrono_literals;

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

INSTANTIATE_TEST_SUITE_P(Backends, Contract, kBackends, kNameOfBackend);
INSTANTIATE_TEST_SUITE_P(Backends, Limits, kBackends, kNameOfBackend);

}  // namespace
}  // namespace slipway::sandbox
