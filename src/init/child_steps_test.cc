#include <gtest/gtest.h>

#include "init/test_job.h"

namespace slipway::init {
namespace {

using namespace std::chrono_literals;
using journal::RecordType;

/// A job with the command that steps call.
class ChildStepsTest : public testing::Test {
 protected:
  ChildStepsTest() { job.put_command(SLIPWAY_INIT_PROGRAM); }
  TestJob job;
};

TEST_F(ChildStepsTest, ACommandRunsAsAStepOfItsOwnBelowTheOneThatAsks) {
  job.add("echo before; MODE=fast slipway step 'unit tests' -- sh -c 'echo in $MODE $SLIPWAY_STEP $PWD'; echo after");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded) << outcome.report.reason;
  EXPECT_EQ(outcome.output(0), "before\nafter\n");
  EXPECT_EQ(outcome.output(1), "in fast unit tests " + job.workspace() + "/src\n");
  ASSERT_EQ(outcome.report.steps.size(), 2U);
  EXPECT_EQ(outcome.report.steps[1].name, "unit tests");
  EXPECT_EQ(outcome.report.steps[1].parent, 0U);
  EXPECT_EQ(outcome.report.steps[0].parent, std::nullopt);
}

TEST_F(ChildStepsTest, ItsExitCodeIsItsCallers) {
  job.add("slipway step a -- sh -c 'exit 7' || echo got $?; slipway step b -- no-such-program || echo got $?");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
  EXPECT_EQ(outcome.output(0), "got 7\ngot 127\n");
  EXPECT_EQ(outcome.report.steps.at(1).outcome, model::Outcome::failed);
  EXPECT_EQ(outcome.report.steps.at(2).exit_code, 127);
}

TEST_F(ChildStepsTest, ATimeoutEndsIt) {
  job.add("slipway step slow --timeout 100ms -- sleep 60 || echo got $?");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.output(0), "got 124\n");
  EXPECT_EQ(outcome.report.steps.at(1).outcome, model::Outcome::timed_out);
}

TEST_F(ChildStepsTest, SeveralRunAtOnce) {
  // Each waits for a file that the other makes.
  job.add(
      "slipway step a -- sh -c 'touch a; while [ ! -e b ]; do sleep 0.01; done' &\n"
      "slipway step b -- sh -c 'touch b; while [ ! -e a ]; do sleep 0.01; done'\nwait");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
  EXPECT_EQ(outcome.report.steps.size(), 3U);
}

TEST_F(ChildStepsTest, ItEndsWithTheClientThatWaitsForIt) {
  job.add(
      "slipway step slow -- sh -c 'touch begun; sleep 60' & pid=$!\n"
      "while [ ! -e begun ]; do sleep 0.01; done; kill $pid; wait $pid || true; echo on");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.output(0), "on\n");
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
  EXPECT_EQ(outcome.report.steps.at(1).outcome, model::Outcome::cancelled);
}

TEST_F(ChildStepsTest, ItEndsWithItsParent) {
  job.spec.grace = 200ms;
  job.add(
      "slipway step slow -- sh -c 'trap \"\" TERM; touch begun; sleep 60' & while [ ! -e begun ]; do sleep 0.01; done");
  job.add("slipway step slow -- sh -c 'trap \"\" TERM; sleep 60'").timeout = 300ms;
  const Outcome outcome = job.run();
  ASSERT_EQ(outcome.report.steps.size(), 4U);
  EXPECT_EQ(outcome.report.steps[0].outcome, model::Outcome::succeeded);
  EXPECT_EQ(outcome.report.steps[1].outcome, model::Outcome::timed_out);
  EXPECT_EQ(outcome.report.steps[2].outcome, model::Outcome::cancelled);
  EXPECT_EQ(outcome.report.steps[3].outcome, model::Outcome::cancelled);
}

TEST_F(ChildStepsTest, AJobThatIsCancelledEndsThemAll) {
  job.spec.grace = 200ms;
  job.add("slipway step slow -- sh -c 'echo begun; sleep 60'");
  job.when_printed("begun", [this] { job.send(wire::Cancel{}); });
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::cancelled);
  EXPECT_EQ(outcome.report.steps.at(1).outcome, model::Outcome::cancelled);
}

TEST_F(ChildStepsTest, AChildMayHaveChildren) {
  job.add("slipway step outer -- slipway step inner -- sh -c 'echo deep; slipway annotate hello'");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.output(2), "deep\n");
  EXPECT_EQ(outcome.report.steps.at(2).parent, 1U);
  EXPECT_EQ(outcome.count(RecordType::annotation, 2), 1U);
}

TEST_F(ChildStepsTest, ItsSecretsAreMaskedInItsNameAndCommandToo) {
  job.secrets = {{"TOKEN", "hunter2hunter2"}};
  job.add("slipway step hunter2hunter2 -- echo hunter2hunter2");
  const Outcome outcome = job.run();
  for (const Recorded& record : outcome.records) {
    EXPECT_EQ(record.payload.find("hunter2hunter2"), std::string::npos) << record.payload;
  }
}

TEST_F(ChildStepsTest, ASecretThatItsTitleIsTooShortForLeavesNoHalfBehind) {
  job.secrets = {{"TOKEN", "hunter2hunter2"}};
  const std::string filler(200 - std::string("echo ").size() - 8, 'x');  // 8 bytes of the secret are within the title
  job.add("slipway step s -- echo " + filler + "hunter2hunter2");
  const Outcome outcome = job.run();
  for (const Recorded& record : outcome.records) {
    EXPECT_EQ(record.payload.find("hunter2"), std::string::npos) << record.payload;
  }
}

TEST_F(ChildStepsTest, WhatItAsksToKeepIsStoredWhenItHasEnded) {
  job.add("slipway step build -- sh -c 'echo x > app; slipway artifact app app; echo y > app'; test $? = 0; rm app");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
  EXPECT_EQ(outcome.report.artifacts, std::vector<std::string>{"app"});
  EXPECT_EQ(outcome.count(RecordType::artifact, 1), 1U);
}

TEST_F(ChildStepsTest, AJobRunsNoMoreOfThemThanItMay) {
  job.add("for i in $(seq 1001); do slipway step s -- true || { echo refused $i; exit 0; }; done");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.output(0), "refused 1001\n");
  EXPECT_EQ(outcome.report.steps.size(), 1001U);
  EXPECT_TRUE(outcome.finished);
}

}  // namespace
}  // namespace slipway::init
