#include "store/owner.h"

#include <gtest/gtest.h>

#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/sqlite/sqlite_store.h"

namespace slipway::store {
namespace {

using model::JobState;
using model::Outcome;

class OwnerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "slipway-owner-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  /// The id of an owner whose process is gone without having said so.
  std::string killed_owner() {
    int fds[2];
    EXPECT_EQ(::pipe(fds), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto owner = Owner::claim(dir_);
      (void)!::write(fds[1], owner->id().data(), owner->id().size());
      ::_exit(0);  // no destructor runs
    }
    ::close(fds[1]);
    std::string id(64, '\0');
    id.resize(static_cast<std::size_t>(::read(fds[0], id.data(), id.size())));
    ::close(fds[0]);
    ::waitpid(child, nullptr, 0);
    return id;
  }
  std::unique_ptr<Store> open() { return open_sqlite({dir_ / "store.db"}).value(); }
  std::filesystem::path dir_;
};

TEST_F(OwnerTest, IsAliveUntilItGoes) {
  std::string id;
  {
    const auto owner = Owner::claim(dir_);
    ASSERT_TRUE(owner);
    id = owner->id();
    EXPECT_TRUE(is_alive(dir_, id));
  }
  EXPECT_FALSE(is_alive(dir_, id));
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "owners"));
}

TEST_F(OwnerTest, RunsOfAKilledSlipwayEndAsInfraFailed) {
  const auto store = open();
  const RunRow run{.id = RunId("aaaa1"), .project = "/p", .owner = killed_owner()};
  ASSERT_TRUE(store->add_run(run));
  ASSERT_TRUE(store->commit(
      {.jobs = {{.run = run.id, .index = 0, .name = "a", .state = JobState::running, .attempts = 1},
                {.run = run.id, .index = 1, .name = "b", .state = JobState::waiting}},
       .attempts = {{AttemptId("t1"), run.id, "a", 1, "runs/aaaa1/t1.journal", from_micros(1), std::nullopt}}}));
  std::vector<AttemptRow> attempts;
  ASSERT_TRUE(recover(*store, dir_, from_micros(50), [&](const auto& ended) { attempts = ended; }));
  ASSERT_EQ(attempts.size(), 1U);
  EXPECT_EQ(attempts.front().journal_path, "runs/aaaa1/t1.journal");
  const auto found = store->find_run("/p", "aaaa1");
  EXPECT_EQ(found->outcome, Outcome::infra_failed);
  EXPECT_EQ(found->exit_code, 5);
  const auto jobs = store->jobs_of(run.id);
  EXPECT_EQ(jobs->at(0).outcome, Outcome::infra_failed);
  EXPECT_EQ(jobs->at(1).outcome, Outcome::cancelled);
  EXPECT_EQ(store->attempts_of(run.id)->at(0).report->reason, "slipway was killed");
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "owners"));
}

TEST_F(OwnerTest, JournalsAreClosedBeforeTheRowsSaySoSoThatARecoveryCanBeRepeated) {
  const auto store = open();
  const RunRow run{.id = RunId("aaaa1"), .project = "/p", .owner = killed_owner()};
  ASSERT_TRUE(store->add_run(run));
  ASSERT_TRUE(store->commit(
      {.attempts = {{AttemptId("t1"), run.id, "a", 1, "runs/aaaa1/t1.journal", from_micros(1), std::nullopt}}}));
  int closed = 0;
  const pid_t child = ::fork();
  if (child == 0) {  // a recovery that is killed while it closes journals
    const auto own = open();
    (void)recover(*own, dir_, from_micros(50), [](const auto&) { ::_exit(0); });
    ::_exit(1);
  }
  int status = 1;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(recover(*store, dir_, from_micros(60), [&](const auto& ended) {
    closed += static_cast<int>(ended.size());
    EXPECT_FALSE(store->find_run("/p", "aaaa1")->outcome);
  }));
  EXPECT_EQ(closed, 1);
  EXPECT_EQ(store->find_run("/p", "aaaa1")->outcome, Outcome::infra_failed);
}

TEST_F(OwnerTest, TwoWhoLookAtADeadOneDoNotTakeEachOtherForIt) {
  const std::string id = killed_owner();
  const int other = ::open((dir_ / "owners" / (id + ".lock")).c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(other, LOCK_SH | LOCK_NB), 0);
  EXPECT_FALSE(is_alive(dir_, id));
  ::close(other);
}

TEST_F(OwnerTest, RunsOfALiveSlipwayAreLeftAlone) {
  const auto store = open();
  const auto owner = Owner::claim(dir_);
  const RunRow run{.id = RunId("aaaa1"), .project = "/p", .owner = owner->id()};
  ASSERT_TRUE(store->add_run(run));
  ASSERT_TRUE(recover(*store, dir_, from_micros(50), [](const auto&) { ADD_FAILURE(); }));
  EXPECT_FALSE(store->find_run("/p", "aaaa1")->outcome);
  EXPECT_TRUE(is_alive(dir_, owner->id()));
}

}  // namespace
}  // namespace slipway::store
