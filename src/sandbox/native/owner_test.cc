// What is left of a native sandbox when its start fails or hangs, or its owner is killed; and who may have its slot.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sandbox/native/test_support.h"

namespace slipway::sandbox::native {
namespace {

using namespace std::chrono_literals;

class NativeOwner : public Native {};

TEST_F(NativeOwner, TurnsOfASlotGoOnWhereTheLastProcessLeftThem) {
  const os::TestDirectory directory;
  std::uint32_t last = 0;
  {
    Slots slots(directory.path());
    const auto slot = slots.take();
    ASSERT_TRUE(slot) << slot.error().what;
    last = next_turn(*slot);
  }
  Slots slots(directory.path());
  const auto slot = slots.take();
  ASSERT_TRUE(slot) << slot.error().what;
  EXPECT_EQ(slot->number, 0);
  EXPECT_EQ(next_turn(*slot), last + 1);
  EXPECT_NE(nat_address(0, last).interface, nat_address(0, last + 1).interface);
  EXPECT_NE(nat_address(0, last).host, nat_address(0, last + 1).host);
}

TEST_F(NativeOwner, FailedStartNamesItsStageAndLeavesNothing) {
  spec_.mounts.push_back({Mount::Kind::read_only, place_.path() / "missing", "/job/x", false, {}});
  const auto started = backend_->start(spec_, os::within(10s));
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().what.find("root directory"), std::string::npos) << started.error().what;
  EXPECT_NE(started.error().what.find("missing"), std::string::npos) << started.error().what;
  EXPECT_TRUE(std::filesystem::is_empty(place_.path() / "state" / "sandboxes"));
}

TEST_F(NativeOwner, KilledOwnerLeavesNothingAfterTheNextSweep) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    auto mine = NativeBackend::open(place_.options(), log_);
    std::vector<Started> kept;
    for (int i = 0; i < 3; ++i) {
      SandboxSpec spec = spec_;
      spec.id = SandboxId("dies-" + std::to_string(i));
      auto started = (*mine)->start(spec, os::within(10s));
      if (!started) ::_exit(1);
      kept.push_back(std::move(*started));
    }
    (void)!::write(ready[1], "x", 1);
    for (;;) ::pause();
  }
  ::close(ready[1]);  // an owner that fails ends the pipe
  char byte = 0;
  const ssize_t got = ::read(ready[0], &byte, 1);
  ::close(ready[0]);
  if (got != 1) ::waitpid(owner, nullptr, 0);
  ASSERT_EQ(got, 1);
  start();  // a live one of another process
  const auto before = backend_->list_abandoned();
  ASSERT_TRUE(before);
  EXPECT_TRUE(before->empty());
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  const auto abandoned = backend_->list_abandoned();
  ASSERT_TRUE(abandoned);
  EXPECT_EQ(abandoned->size(), 3U);
  EXPECT_TRUE(backend_->sweep(os::within(10s)));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(place_.path() / "state" / "sandboxes"), {}), 1);
  run("true");
}

// Processes of the machine that run this test's copy of the program.
int running(const std::filesystem::path& program) {
  int count = 0;
  std::error_code gone;  // processes come and go meanwhile
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    if (std::filesystem::read_symlink(entry.path() / "exe", gone) == program) ++count;
  }
  return count;
}

// The launcher of `program`, by its first argument.
pid_t launcher_of(const std::filesystem::path& program) {
  std::error_code gone;  // processes come and go meanwhile
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    if (std::filesystem::read_symlink(entry.path() / "exe", gone) != program) continue;
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    const auto status = os::read_file(entry.path() / "status", 1U << 16U).value_or("");
    if (status.find(fmt::format("PPid:\t{}\n", ::getpid())) != std::string::npos) return pid;
  }
  return -1;
}

TEST_F(NativeOwner, ASlotOfASetUpThatHangsIsNobodyElsesBeforeItsProcessIsGone) {
  const auto program = place_.path() / "init";
  std::filesystem::copy(SLIPWAY_SHELL_INIT, program);
  NativeOptions options = place_.options();
  options.init_program = program;
  auto backend = NativeBackend::open(options, log_).value();
  SandboxSpec first = spec_, second = spec_;
  first.id = SandboxId("first");
  second.id = SandboxId("second");
  const auto started = backend->start(first, os::within(10s));
  ASSERT_TRUE(started) << started.error().what;
  const pid_t launcher = launcher_of(program);
  ASSERT_GT(launcher, 0);
  ::kill(launcher, SIGSTOP);  // the request waits, and so does all that would follow from it
  const auto began = os::Clock::now();
  std::jthread later([&] {
    ::poll(nullptr, 0, 300);
    ::kill(launcher, SIGCONT);
  });
  const auto hung = backend->start(second, os::within(50ms));
  ASSERT_FALSE(hung);
  EXPECT_EQ(hung.error().kind, ErrorKind::timeout) << hung.error().what;
  EXPECT_GE(os::Clock::now() - began, 290ms) << "its slot was given back with the process still to come";
  EXPECT_FALSE(std::filesystem::exists(place_.path() / "state" / "sandboxes" / "second"));
  EXPECT_TRUE(backend->destroy(first.id, os::within(10s)));
}

TEST_F(NativeOwner, ALockOnTheNatRulesThatIsNeverGivenBackHangsNobody) {
  if (!Nat::is_possible()) GTEST_SKIP() << "no nat here";
  const auto held = os::FileLock::acquire(place_.path() / "nat.users", os::LockMode::exclusive, os::within(1s)).value();
  Nat nat(place_.path());
  const auto prepared = nat.prepare(os::within(50ms));
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().kind, ErrorKind::timeout) << prepared.error().what;
}

TEST_F(NativeOwner, OwnerKilledAtAnyMomentOfEightStartsLeavesNothing) {
  const auto program = place_.path() / "init";
  std::filesystem::copy(SLIPWAY_SHELL_INIT, program);
  NativeOptions options = place_.options();
  options.init_program = program;
  for (const int delay_ms : {1, 3, 6, 10, 15, 25, 40, 80}) {
    const pid_t owner = ::fork();
    if (owner == 0) {
      auto mine = NativeBackend::open(options, log_);
      std::vector<std::jthread> threads;
      for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&, i] {
          for (int round = 0;; ++round) {
            SandboxSpec spec = spec_;
            spec.id = SandboxId("k" + std::to_string(i) + "-" + std::to_string(round));
            auto started = (*mine)->start(spec, os::within(10s));
            if (round % 2 == 0) (void)(*mine)->destroy(spec.id, os::within(10s));
          }
        });
      }
      for (;;) ::pause();
    }
    ::poll(nullptr, 0, delay_ms);  // the moment of death is what this test varies
    ::kill(owner, SIGKILL);
    ::waitpid(owner, nullptr, 0);
    const auto patience = os::Clock::now() + 2s;  // a second on a machine with nothing else to do
    // What was half spawned becomes a launcher after its owner's death, for a moment: only what stays is left behind.
    int looks_without = 0;
    while (looks_without < 4 && os::Clock::now() < patience) {
      ::poll(nullptr, 0, 5);
      looks_without = running(program) == 0 ? looks_without + 1 : 0;
    }
    EXPECT_EQ(looks_without, 4) << "killed after " << delay_ms << " ms";
    // Killed in the middle of spawning the launcher, its spawned half may hold the locks for a moment longer.
    const auto sandboxes = place_.path() / "state" / "sandboxes";
    do {
      const auto swept = backend_->sweep(os::within(10s));
      EXPECT_TRUE(swept) << swept.error().what;
    } while (!std::filesystem::is_empty(sandboxes) && os::Clock::now() < patience);
    EXPECT_TRUE(std::filesystem::is_empty(sandboxes)) << "killed after " << delay_ms << " ms";
  }
  for (const std::string& path : os::CgroupRoot::open().paths_for("x")) {
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(path).parent_path())) {
      EXPECT_FALSE(entry.path().filename().string().starts_with("k")) << entry.path();
    }
  }
}

}  // namespace
}  // namespace slipway::sandbox::native
