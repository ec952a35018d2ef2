// Untrusted source in a sandbox beside that of job code: what the two share, and what not.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

#include "sandbox/native/test_support.h"

namespace slipway::sandbox::native {
namespace {

using namespace std::chrono_literals;

class Sibling : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "a user id for the source needs root";
    auto made = NativeBackend::open(place_.options(), log_);
    if (!made) GTEST_SKIP() << made.error().what;
    backend_ = std::move(*made);
    checkout_ = place_.path() / "checkout";
    std::filesystem::create_directories(checkout_ / ".git");
    std::filesystem::create_directories(checkout_ / "lib");
    std::ofstream(checkout_ / "run.sh") << "echo run\n";
    std::filesystem::permissions(checkout_ / "run.sh", std::filesystem::perms(0755));
    job_.id = SandboxId(new_id());
    job_.network = model::Network::none;
    job_.mounts.push_back(Mount{Mount::Kind::overlay, checkout_, "/job/src", false, 0, {}, {".git"}, true});
    sibling_.id = SandboxId(new_id());
    sibling_.network = model::Network::none;
    sibling_.beside = Beside{job_.id, true, {}};
  }
  void TearDown() override {
    if (!backend_) return;
    for (const SandboxSpec* spec : {&sibling_, &job_}) EXPECT_TRUE(backend_->destroy(spec->id, os::within(10s)));
  }
  std::unique_ptr<os::MessageSocket> start(const SandboxSpec& spec) {
    auto started = backend_->start(spec, os::within(10s));
    if (!started) {
      ADD_FAILURE() << started.error().what;
      return nullptr;
    }
    return std::make_unique<os::MessageSocket>(std::move(started->leash));
  }
  static std::string run(os::MessageSocket& leash, const std::string& command, int code = 0) {
    const Answer answer = ask(leash, "runner " + command);
    EXPECT_EQ(answer.code, code) << command << ": " << answer.output;
    return answer.output;
  }

  TestPlace place_;
  SilentLog log_;
  std::unique_ptr<NativeBackend> backend_;
  std::filesystem::path checkout_;
  SandboxSpec job_, sibling_;
};

TEST_F(Sibling, WritesTheSourceThatTheJobOnlyReads) {
  const auto job = start(job_);
  const auto sibling = start(sibling_);
  ASSERT_TRUE(job && sibling);
  EXPECT_EQ(run(*sibling, "cd /job/src && ./run.sh && echo made > lib/made && stat -c %U . lib/made"),
            "run\nrunner\nrunner\n");
  EXPECT_EQ(run(*job, "cd /job/src && cat lib/made && stat -c %U . lib/made"), "made\nsource\nsource\n");
  run(*job, "touch /job/src/mine", 1);
  run(*job, "/job/src/run.sh", 126);  // noexec for job code
  EXPECT_FALSE(std::filesystem::exists(checkout_ / "lib/made"));
}

TEST_F(Sibling, SeesNothingElseOfTheJob) {
  const auto job = start(job_);
  ASSERT_TRUE(job);
  run(*job,
      "echo secret > /job/artifacts/a; echo secret > /tmp/t; echo secret > /home/runner/h; (sleep 100 > /dev/null 2>&1 "
      "&)");
  const auto sibling = start(sibling_);
  ASSERT_TRUE(sibling);
  EXPECT_EQ(run(*sibling, "ls /job /tmp /home/runner"), "/home/runner:\n\n/job:\nsrc\n\n/tmp:\n");
  EXPECT_EQ(run(*sibling, "ps -e -o comm= | grep -c sleep", 1), "0\n");
  EXPECT_EQ(run(*sibling, "ls -a /job/src | grep -c '^.git$'", 1), "0\n");
}

TEST_F(Sibling, HasAnotherIdThanJobCode) {
  const auto job = start(job_);
  const auto sibling = start(sibling_);
  ASSERT_TRUE(job && sibling);
  const std::string of_job = run(*job, "cut -d' ' -f1- /proc/self/uid_map");
  const std::string of_sibling = run(*sibling, "cat /proc/self/uid_map");
  EXPECT_NE(of_job, of_sibling);
  EXPECT_EQ(run(*sibling, "id -u; id -un"), "1001\nrunner\n");
}

TEST_F(Sibling, SharesADirectoryWhoseFilesBelongToBoth) {
  const auto job = start(job_);
  ASSERT_TRUE(job);
  run(*job, "mkdir /job/share && echo from job > /job/share/a && ln -s /etc /job/link && mkdir /job/share/inner");
  sibling_.beside->shares = {"/job/share"};
  const auto sibling = start(sibling_);
  ASSERT_TRUE(sibling);
  EXPECT_EQ(run(*sibling, "cd /job/share && cat a && echo more >> a && echo b > b && rmdir inner && stat -c %U a b"),
            "from job\nrunner\nrunner\n");
  EXPECT_EQ(run(*job, "cd /job/share && cat a b && stat -c %U a b && rm a b"), "from job\nmore\nb\nrunner\nrunner\n");
}

TEST_F(Sibling, SharesNoLinkNoMountAndNothingOutside) {
  const auto job = start(job_);
  ASSERT_TRUE(job);
  run(*job, "mkdir /job/dir && ln -s /etc /job/link && ln -s / /job/dir/up");
  for (const char* share : {"/job/link", "/job/dir/up/etc", "/job/secrets", "/job/missing", "/job/src/lib"}) {
    sibling_.beside->shares = {share};
    EXPECT_FALSE(backend_->start(sibling_, os::within(10s))) << share;
  }
  for (const char* share : {"/etc", "/job", "/job/../etc", "share", "/job/a/../.."}) {
    sibling_.beside->shares = {share};
    const auto refused = backend_->start(sibling_, os::within(10s));
    ASSERT_FALSE(refused) << share;
    EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
  }
}

TEST_F(Sibling, WithAnOverlayOfItsOwnLeavesTheJobAsItWas) {
  job_.mounts.front().of_source = false;
  sibling_.beside->source = false;
  sibling_.mounts = job_.mounts;
  const auto job = start(job_);
  const auto sibling = start(sibling_);
  ASSERT_TRUE(job && sibling);
  run(*sibling, "echo made > /job/src/made && ./job/src/run.sh");
  run(*job, "test ! -e /job/src/made && touch /job/src/mine");
}

TEST_F(Sibling, LeavesFilesThatAreReadOnceItHasEnded) {
  const auto job = start(job_);
  auto sibling = start(sibling_);
  ASSERT_TRUE(job && sibling);
  run(*sibling,
      "cd /job/src && echo good > out && ln -s /etc/passwd link && mkfifo fifo && ln -s lib dir && echo x > lib/f");
  sibling.reset();
  ASSERT_TRUE(backend_->wait(sibling_.id, os::within(5s)));
  const auto good = backend_->open_source_file(sibling_.id, "out");
  ASSERT_TRUE(good) << good.error().what;
  EXPECT_EQ(os::read_all(good->get(), 100).value_or(""), "good\n");
  for (const char* path : {"link", "fifo", "dir/f", "lib", "../ci/x", "/etc/passwd", "missing"}) {
    EXPECT_FALSE(backend_->open_source_file(sibling_.id, path)) << path;
  }
}

TEST_F(Sibling, IsNotStartedBesideAJobThatEnded) {
  const auto refused = backend_->start(sibling_, os::within(10s));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::unavailable);
}

}  // namespace
}  // namespace slipway::sandbox::native
