#include "init/owner_link.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "init/test_job.h"
#include "os/files.h"

namespace slipway::init {
namespace {

using namespace std::chrono_literals;

TEST(OwnerLink, ABusyOwnerIsNotWaitedForWithProgressNorTakenForDead) {
  Poller poller;
  os::SocketPair pair = os::make_socket_pair().value();
  OwnerLink link(poller, std::move(pair.first));
  std::uint64_t sent = 0;
  while (sent < 1'000'000 && link.try_send(wire::Progress{sent})) ++sent;
  EXPECT_GT(sent, 10U);
  EXPECT_LT(sent, 1'000'000U);
  EXPECT_FALSE(link.is_lost());
  pair.second.reset();
  EXPECT_FALSE(link.try_send(wire::Progress{sent}));
  EXPECT_TRUE(link.is_lost());
}

// A job that prints `begun` and ends when `go` is called.
class Orphan : public testing::Test {
 protected:
  Orphan() {
    job.orphan_grace = 20s;
    job.add("echo begun; while ! [ -e ../go ]; do sleep 0.01; done; mkdir out; echo content > out/file; echo done");
  }
  void go() const { ASSERT_TRUE(os::replace_file(job.workspace() + "/go", "", 0600)); }

  TestJob job;
};

TEST_F(Orphan, GoesOnWithTheNextOwnerWhoGetsWhatTheFirstOneLeft) {
  job.when_printed("begun", [&] {
    job.send(wire::Note{"first"});
    job.send(wire::Note{"last"});
    job.close_leash();
    const auto [kept, fds] = job.adopt();
    EXPECT_EQ(kept.estate, "the estate");
    EXPECT_EQ(kept.note, "last");
    EXPECT_EQ(fds.size(), 1U) << "the listening socket stays with init";
    go();
  });
  const Outcome outcome = job.run();
  EXPECT_TRUE(outcome.finished);
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
  EXPECT_EQ(outcome.output(0), "begun\ndone\n");
}

TEST_F(Orphan, ObeysTheNextOwner) {
  job.when_printed("begun", [&] {
    job.close_leash();
    job.adopt();
    job.send(wire::Cancel{});
  });
  const Outcome outcome = job.run();
  EXPECT_TRUE(outcome.finished);
  EXPECT_EQ(outcome.report.outcome, model::Outcome::cancelled);
}

TEST_F(Orphan, MayHaveManyOwnersInTurn) {
  job.when_printed("begun", [&] {
    for (int i = 0; i < 5; ++i) {
      job.close_leash();
      EXPECT_EQ(job.adopt().first.estate, "the estate");
    }
    go();
  });
  EXPECT_EQ(job.run().report.outcome, model::Outcome::succeeded);
}

TEST_F(Orphan, EndsWithItsGrace) {
  job.orphan_grace = 300ms;
  job.when_printed("begun", [&] { job.close_leash(); });
  EXPECT_FALSE(job.run().finished);
}

TEST_F(Orphan, ThatComesToItsEndAloneWritesItsJournalWhole) {
  job.when_printed("begun", [&] {
    job.close_leash();
    go();
  });
  const Outcome outcome = job.run();
  EXPECT_TRUE(outcome.finished);
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
}

TEST_F(Orphan, AsksTheNextOwnerWhatTheFirstDidNotAnswer) {
  job.spec.artifacts = {{"dist", {"out/**"}, model::ArtifactDefinition::When::success, {}}};
  int asked = 0;
  job.before_bundle = [&] {
    if (++asked > 1) return;
    job.close_leash();
    job.adopt();
  };
  job.when_printed("begun", [&] { go(); });
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.artifacts, std::vector<std::string>{"dist"});
}

TEST_F(Orphan, StoresWithTheNextOwnerWhatItHadBegunWithTheFirst) {
  job.spec.artifacts = {{"dist", {"out/**"}, model::ArtifactDefinition::When::success, {}}};
  int asked = 0;
  job.before_stored = [&] {
    if (++asked > 1) return;
    job.close_leash();
    job.adopt();
  };
  job.when_printed("begun", [&] { go(); });
  const Outcome outcome = job.run();
  EXPECT_GT(asked, 1);
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
  EXPECT_EQ(outcome.report.artifacts, std::vector<std::string>{"dist"});
  EXPECT_FALSE(outcome.has_notice("artifact_not_stored"));
}

// A job that waits for a person when its owner dies.
class HeldOrphan : public testing::Test {
 protected:
  HeldOrphan() {
    job.orphan_grace = 20s;
    job.breaks = {{wire::Breakpoint::When::on_failure, {}}};
    job.add("echo once >> ../tries; test $(wc -l < ../tries) = 2");
  }

  TestJob job;
};

TEST_F(HeldOrphan, IsHeldStillAndObeysTheNextOwner) {
  int told = 0;
  job.when_held = [&](const wire::Held& held) {
    EXPECT_EQ(held.step, "s0");
    EXPECT_EQ(held.why, "exit code 1");
    EXPECT_TRUE(held.can_retry);
    if (++told == 2) return job.send(wire::Resume::retry);
    job.close_leash();
    job.adopt();
  };
  const Outcome outcome = job.run();
  EXPECT_EQ(told, 2) << "each owner hears of it";
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded) << outcome.report.reason;
  EXPECT_EQ(outcome.report.steps.at(0).tries, 2);
}

TEST_F(HeldOrphan, WaitsNoLongerThanItsLimitWhereNobodyComes) {
  job.hold_limit = 300ms;
  job.when_held = [&](const wire::Held&) { job.close_leash(); };
  const Outcome outcome = job.run();
  EXPECT_TRUE(outcome.finished);
  EXPECT_EQ(outcome.report.outcome, model::Outcome::cancelled);
  EXPECT_EQ(outcome.report.reason, "it was held for 300 ms, and nobody said how it goes on");
}

TEST_F(HeldOrphan, SeesOffWhoCameThroughTheDeadOwner) {
  int told = 0, ended = 0;
  job.when_left = [&](const wire::AttachEnded&) { ++ended; };
  job.when_held = [&](const wire::Held&) {
    if (++told == 1) return job.send(wire::Attach{1, {{"sleep", "1000"}, false}});
    job.send(wire::Resume::abort);
  };
  job.when_attached = [&](const wire::Attached& answer) {
    EXPECT_EQ(answer.error, "");
    job.close_leash();
    job.adopt();
  };
  const Outcome outcome = job.run();
  EXPECT_TRUE(outcome.has_notice("attached") && outcome.has_notice("detached"));
  EXPECT_EQ(ended, 0) << "another owner knows nothing of it";
  EXPECT_EQ(outcome.report.reason, "aborted while it was held");
}

// The exit status of a process that is another user's and knocks: 0 when it is sent away without a word.
int knock_as_nobody(const std::string& directory, const std::string& name) {
  const pid_t child = ::fork();
  if (child == 0) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    constexpr uid_t kNobody = 65534;
    if (::chdir(directory.c_str()) != 0 || ::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(2);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) ::_exit(3);
    char byte = 0;
    ::_exit(::read(socket, &byte, 1) == 0 ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(Orphan, SendsAnotherUserAway) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  job.when_printed("begun", [&] {
    const std::filesystem::path listener = job.listener();
    ASSERT_EQ(::chmod(listener.parent_path().c_str(), 0755), 0);  // what keeps them out first of all
    ASSERT_EQ(::chmod(listener.c_str(), 0777), 0);
    job.close_leash();
    EXPECT_EQ(knock_as_nobody(listener.parent_path(), listener.filename()), 0);
    EXPECT_EQ(job.adopt().first.estate, "the estate");
    go();
  });
  EXPECT_EQ(job.run().report.outcome, model::Outcome::succeeded);
}

}  // namespace
}  // namespace slipway::init
