#include "os/cgroup.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "base/ids.h"
#include "base/scope_exit.h"
#include "os/call_limit.h"
#include "os/test_directory.h"

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
    char* memory =
        static_cast<char*>(::mmap(nullptr, kTooMuch, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
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
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer has a thread of its own in each process";
#endif
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
  // The child's own move, at most a scheduling turn away.
  const Deadline deadline = within(std::chrono::seconds(20)).deadline;
  while (step->processes().empty() && Clock::now() < deadline) std::this_thread::yield();
  if (step->processes().empty()) ::kill(child, SIGKILL);
  EXPECT_FALSE(step->processes().empty());
  std::thread reaper([&] { ::waitpid(child, nullptr, 0); });
  EXPECT_TRUE(remove_cgroups(sandbox->paths()));
  reaper.join();
  for (const std::string& path : sandbox->paths()) EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(remove_cgroups(sandbox->paths()));  // again: nothing to do
}

// The mount of v2 on a hybrid host has no controllers to give, but groups, entry, time, kill and removal are the same.
class CgroupV2 : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* top : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      if (::access((std::string(top) + "/cgroup.controllers").c_str(), F_OK) == 0)
        path_ = std::string(top) + "/slipway-test-" + new_id();
    }
    if (path_.empty() || ::mkdir(path_.c_str(), 0755) != 0)
      GTEST_SKIP() << "no v2 hierarchy that groups can be made in";
    made_ = true;
  }
  void TearDown() override {
    if (!made_) return;
    EXPECT_TRUE(remove_cgroups({path_}));
  }
  std::vector<CgroupDirectory> directory() const {
    std::vector<CgroupDirectory> all;
    all.push_back({Fd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), 2, 0});
    return all;
  }
  std::string path_;
  bool made_ = false;
};

TEST_F(CgroupV2, StepEntersIsTimedAndItsGroupGoes) {
  const StepCgroups steps(directory());
  auto step = steps.create("step-0-1");
  ASSERT_TRUE(step) << step.error().what;
  const pid_t child = ::fork();
  if (child == 0) {
    if (!step->enter()) ::_exit(200);
    volatile unsigned long spin = 0;
    for (int i = 0; i < 20'000'000; ++i) spin = spin + 1;
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_GT(step->figures().cpu_micros, 1000U);
  EXPECT_TRUE(step->remove());
  EXPECT_FALSE(std::filesystem::exists(path_ + "/step-0-1"));
}

TEST_F(CgroupV2, ProcessMayBeBornInAGroupAndEndsWithIt) {
  const std::string leaf = path_ + "/init";
  ASSERT_EQ(::mkdir(leaf.c_str(), 0755), 0);
  const Fd fd(::open(leaf.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  clone_args args{};
  args.flags = CLONE_INTO_CGROUP;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<__u64>(fd.get());
  const auto child = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
  if (child == 0) {
    for (;;) ::pause();
  }
  ASSERT_GT(child, 0);
  std::ifstream members(leaf + "/cgroup.procs");
  pid_t member = 0;
  members >> member;
  EXPECT_EQ(member, child);
  std::thread reaper([&] { ::waitpid(child, nullptr, 0); });
  EXPECT_TRUE(remove_cgroups({path_}));
  reaper.join();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

// Files as the kernel writes them, in a directory of our own.
class FigureFiles : public testing::Test {
 protected:
  void write(const char* name, const char* text) const { std::ofstream(directory_ / name) << text; }
  CgroupFigures read(int version) const {
    constexpr unsigned kAll = CgroupDirectory::memory | CgroupDirectory::cpuacct | CgroupDirectory::io;
    return figures_of({Fd(::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), version, kAll});
  }
  TestDirectory directory_;
};

TEST_F(FigureFiles, OfVersionTwoAreRead) {
  write("cpu.stat", "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n");
  write("memory.peak", "1048576\n");
  write("memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n");
  write("io.stat",
        "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n254:0 rbytes=1 wbytes=2 rios=1 wios=1\n");
  const CgroupFigures figures = read(2);
  EXPECT_EQ(figures.cpu_micros, 1234567U);
  EXPECT_EQ(figures.memory_peak_bytes, 1048576U);
  EXPECT_EQ(figures.out_of_memory_kills, 1U);
  EXPECT_EQ(figures.io_read_bytes, 4097U);
  EXPECT_EQ(figures.io_written_bytes, 8194U);
}

TEST_F(FigureFiles, OfAKernelWithoutPeaksGiveWhatIsUsedNow) {
  write("memory.current", "4096\n");
  EXPECT_EQ(read(2).memory_peak_bytes, 4096U);
}

TEST_F(FigureFiles, OfVersionOneAreRead) {
  write("cpuacct.usage", "2000000000\n");
  write("memory.max_usage_in_bytes", "8192\n");
  write("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
  write("blkio.throttle.io_service_bytes_recursive", "8:0 Read 100\n8:0 Write 200\n8:0 Total 300\nTotal 300\n");
  const CgroupFigures figures = read(1);
  EXPECT_EQ(figures.cpu_micros, 2'000'000U);
  EXPECT_EQ(figures.memory_peak_bytes, 8192U);
  EXPECT_EQ(figures.out_of_memory_kills, 3U);
  EXPECT_EQ(figures.io_read_bytes, 100U);
  EXPECT_EQ(figures.io_written_bytes, 200U);
}

}  // namespace
}  // namespace slipway::os
