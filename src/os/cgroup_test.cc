#include "os/cgroup.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "base/ids.h"
#include "base/scope_exit.h"

namespace slipway::os {
namespace {

class Cgroup : public testing::Test {
 protected:
  void SetUp() override {
    const CgroupSupport& support = root_.support();
    if (!support.memory || !support.pids) GTEST_SKIP() << "no control groups can be made here";
  }
  // The status of `body` run in a child that entered a step's group.
  template <class Body>
  int in_step(const StepCgroup& step, Body body) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (!step.enter()) ::_exit(200);
      ::_exit(body());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
  }
  CgroupRoot root_ = CgroupRoot::open();
};

// Groups take their directories along: StepCgroups owns what it uses.
std::vector<CgroupDirectory> copies(const SandboxCgroup& group) {
  std::vector<CgroupDirectory> result;
  for (const CgroupDirectory& one : group.directories()) {
    result.push_back({Fd(::dup(one.fd.get())), one.version, one.controllers});
  }
  return result;
}

TEST_F(Cgroup, StepOverItsMemoryIsKilledAndTheGroupSaysWhy) {
  auto sandbox = root_.create("test-" + new_id(), {.memory_bytes = 16U << 20U, .pids = {}, .cpus = {}}, ::geteuid());
  ASSERT_TRUE(sandbox) << sandbox.error().what;
  const ScopeExit cleanup([&] { (void)remove_cgroups(sandbox->paths()); });
  const StepCgroups steps(copies(*sandbox));
  auto step = steps.create("step-0");
  ASSERT_TRUE(step) << step.error().what;
  const int status = in_step(*step, [] {
    constexpr std::size_t kTooMuch = 64U << 20U;
    char* memory = static_cast<char*>(::mmap(nullptr, kTooMuch, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (std::size_t i = 0; i < kTooMuch; i += 4096) memory[i] = 1;
    return 0;
  });
  EXPECT_EQ(status, 256 + SIGKILL);
  const CgroupFigures figures = step->figures();
  EXPECT_EQ(figures.out_of_memory_kills, 1U);
  EXPECT_GT(figures.memory_peak_bytes, 8U << 20U);
  EXPECT_EQ(sandbox->figures().out_of_memory_kills, 1U);
  EXPECT_TRUE(step->remove());
}

TEST_F(Cgroup, StepCannotMakeMoreProcessesThanAllowed) {
  auto sandbox = root_.create("test-" + new_id(), {.memory_bytes = {}, .pids = 4, .cpus = {}}, ::geteuid());
  ASSERT_TRUE(sandbox) << sandbox.error().what;
  const ScopeExit cleanup([&] { (void)remove_cgroups(sandbox->paths()); });
  const StepCgroups steps(copies(*sandbox));
  auto step = steps.create("step-0");
  ASSERT_TRUE(step) << step.error().what;
  const int made = in_step(*step, [] {
    int count = 0;
    while (count < 20) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::pause();
        ::_exit(0);
      }
      if (child < 0) break;
      ++count;
    }
    ::signal(SIGTERM, SIG_IGN);
    return count;
  });
  EXPECT_EQ(made, 3);
  EXPECT_EQ(step->processes().size(), 3U);
}

TEST_F(Cgroup, RemovalEndsWhatStillRuns) {
  auto sandbox = root_.create("test-" + new_id(), {}, ::geteuid());
  ASSERT_TRUE(sandbox) << sandbox.error().what;
  const StepCgroups steps(copies(*sandbox));
  auto step = steps.create("step-0");
  ASSERT_TRUE(step) << step.error().what;
  const pid_t child = ::fork();
  if (child == 0) {
    if (!step->enter()) ::_exit(200);
    for (;;) ::pause();
  }
  while (step->processes().empty()) std::this_thread::yield();  // the child's own move, at most a scheduling turn away
  std::thread reaper([&] { ::waitpid(child, nullptr, 0); });
  EXPECT_TRUE(remove_cgroups(sandbox->paths()));
  reaper.join();
  for (const std::string& path : sandbox->paths()) EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(remove_cgroups(sandbox->paths()));  // again: nothing to do
}

}  // namespace
}  // namespace slipway::os
