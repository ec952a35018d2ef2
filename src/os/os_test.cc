#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include <gtest/gtest.h>

#include "os/file_lock.h"
#include "os/files.h"
#include "os/queue.h"
#include "os/subprocess.h"
#include "os/test_directory.h"
#include "os/wait.h"

namespace slipway::os {
namespace {

using namespace std::chrono_literals;

TEST(Wait, ReturnsWhenStopped) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  std::stop_source stop;
  stop.request_stop();
  const auto waited = wait_readable(pipe->read.get(), {stop.get_token(), Deadline::max()});
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, ErrorKind::cancelled);
}

TEST(Wait, ReturnsAtTheDeadline) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  const auto waited = wait_readable(pipe->read.get(), within(1ms));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, ErrorKind::timeout);
}

TEST(Command, CollectsBothStreamsAndTheExitCode) {
  const auto output = run_command({.argv = {"sh", "-c", "echo out; echo err >&2; exit 3"}}, 1000, within(10s));
  ASSERT_TRUE(output) << output.error().what;
  EXPECT_EQ(output->out, "out\n");
  EXPECT_EQ(output->err, "err\n");
  EXPECT_EQ(output->exit_code, 3);
}

TEST(Command, IsLookedUpInThePathThatItGets) {
  const TestDirectory directory;
  const auto tool = directory.path() / "only-here";
  ASSERT_TRUE(replace_file(tool, "#!/bin/sh\necho found\n", 0700));
  const std::vector<std::string> with = {"PATH=/nowhere:" + directory.path().string() + ":/bin"};
  const auto found = run_command({.argv = {"only-here"}, .environment = with}, 1000, within(10s));
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(found->out, "found\n");
  const auto hidden = run_command({.argv = {"sh", "-c", "true"}, .environment = {"PATH=/nowhere"}}, 1000, within(10s));
  ASSERT_FALSE(hidden);
  EXPECT_EQ(hidden.error().kind, ErrorKind::not_found);
}

TEST(Files, ADirectoryIsListedByName) {
  const TestDirectory directory;
  ASSERT_TRUE(replace_file(directory / "b", "", 0600));
  ASSERT_TRUE(make_directories(directory / ".a", 0700));
  auto names = list_directory(directory.path());
  ASSERT_TRUE(names) << names.error().what;
  std::ranges::sort(*names);
  EXPECT_EQ(*names, (std::vector<std::string>{".a", "b"}));
  EXPECT_TRUE(sync_directory(directory.path()));
  const auto missing = list_directory(directory / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
}

TEST(Command, StopsAtItsDeadlineAndLeavesNoChild) {
  const auto output = run_command({.argv = {"sleep", "60"}}, 1000, within(20ms));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().kind, ErrorKind::timeout);
}

TEST(Command, InheritsNoOtherDescriptor) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  const Fd leaky(::dup2(pipe->read.get(), 77));  // not close-on-exec
  const auto output = run_command({.argv = {"sh", "-c", "ls /proc/self/fd | grep -c 77 || true"}}, 1000, within(10s));
  ASSERT_TRUE(output) << output.error().what;
  EXPECT_EQ(output->out, "0\n");
}

TEST(Files, ReadRefusesMoreThanTheLimit) {
  const TestDirectory dir;
  ASSERT_TRUE(replace_file(dir / "a", "hello", 0600));
  EXPECT_EQ(read_file(dir / "a", 5).value(), "hello");
  EXPECT_EQ(read_file(dir / "a", 4).error().kind, ErrorKind::exhausted);
}

TEST(Files, UntrustedOpenRefusesLinksFifosAndEscapes) {
  const TestDirectory dir;
  ASSERT_TRUE(replace_file(dir / "plain", "x", 0600));
  ASSERT_EQ(::symlink("/etc/passwd", (dir / "link").c_str()), 0);
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  const auto fd = open_file(dir.path(), O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(fd);
  EXPECT_TRUE(open_untrusted(fd->get(), "plain"));
  EXPECT_FALSE(open_untrusted(fd->get(), "link"));
  EXPECT_FALSE(open_untrusted(fd->get(), "fifo"));
  EXPECT_FALSE(open_untrusted(fd->get(), "../etc/passwd"));
  EXPECT_FALSE(open_untrusted(fd->get(), "/etc/passwd"));
}

TEST(Files, RemoveTreeDoesNotFollowLinks) {
  const TestDirectory own, other;
  const std::filesystem::path &dir = own.path(), &kept = other.path();
  ASSERT_TRUE(replace_file(kept / "precious", "x", 0600));
  ASSERT_TRUE(make_directories(dir / "a/b", 0700));
  ASSERT_EQ(::symlink(kept.c_str(), (dir / "a/b/link").c_str()), 0);
  ASSERT_TRUE(remove_tree(dir));
  EXPECT_FALSE(std::filesystem::exists(dir));
  EXPECT_TRUE(std::filesystem::exists(kept / "precious"));
}

TEST(BoundedQueue, DrainsWhatWasPushedBeforeClose) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.push(1));
  queue.close();
  EXPECT_FALSE(queue.push(2));
  EXPECT_EQ(queue.pop(10, {}).size(), 1U);
  EXPECT_TRUE(queue.pop(10, {}).empty());
}

TEST(FileLock, KeepsOthersOutUntilItIsLetGo) {
  const TestDirectory dir;
  {
    const auto held = FileLock::acquire(dir / "lock", LockMode::exclusive, within(1s));
    ASSERT_TRUE(held);
    EXPECT_FALSE(FileLock::try_acquire(dir / "lock", LockMode::shared).value());
    EXPECT_EQ(FileLock::acquire(dir / "lock", LockMode::shared, within(1ms)).error().kind, ErrorKind::timeout);
  }
  const auto shared = FileLock::acquire(dir / "lock", LockMode::shared, within(1s));
  ASSERT_TRUE(shared);
  EXPECT_TRUE(FileLock::try_acquire(dir / "lock", LockMode::shared).value());
  EXPECT_FALSE(FileLock::try_acquire(dir / "lock", LockMode::exclusive).value());
}

}  // namespace
}  // namespace slipway::os
