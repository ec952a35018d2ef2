#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "init/owner_link.h"
#include "init/test_job.h"
#include "os/files.h"

namespace slipway::init {
namespace {

using namespace std::chrono_literals;
using journal::RecordType;

model::Outcome outcome_of(const Outcome& outcome, std::size_t step) { return outcome.report.steps.at(step).outcome; }

TEST(Job, RunsItsStepsInOrderAndWritesAWholeJournal) {
  TestJob job;
  job.add("echo one > ../order; echo hello");
  job.add("echo two >> ../order; echo world >&2");
  const Outcome outcome = job.run();
  ASSERT_TRUE(outcome.finished);
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
  EXPECT_EQ(job.file("order"), "one\ntwo\n");
  EXPECT_EQ(outcome.output(0), "hello\n");
  EXPECT_EQ(outcome.output(1, RecordType::output_stderr), "world\n");
  EXPECT_EQ(outcome.records.front().type, RecordType::attempt_started);
  EXPECT_EQ(outcome.records.back().type, RecordType::attempt_finished);
  EXPECT_EQ(outcome.count(RecordType::step_started, 1), 1U);
  EXPECT_EQ(outcome.count(RecordType::step_finished, 1), 1U);
}

TEST(Job, AFailedStepEndsItWithTheStepsExitCode) {
  TestJob job;
  job.add("exit 7");
  job.add("echo never");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::failed);
  EXPECT_EQ(outcome.report.exit_code, 7);
  EXPECT_EQ(outcome.report.reason, "step `s0`: exit code 7");
  EXPECT_EQ(outcome_of(outcome, 1), model::Outcome::skipped);
}

TEST(Job, ASignalIsNamed) {
  TestJob job;
  job.add("kill -SEGV $$");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.exit_code, 139);
  EXPECT_EQ(outcome.report.reason, "step `s0`: exit code 139 (SIGSEGV)");
}

TEST(Job, AMissingShellIsAFailureThatSaysSo) {
  TestJob job;
  job.add("true").shell = {"no-such-shell"};
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::failed);
  EXPECT_EQ(outcome.report.exit_code, 127);
  EXPECT_TRUE(outcome.has_notice("not_started"));
  EXPECT_NE(outcome.report.reason.find("not found"), std::string::npos) << outcome.report.reason;
}

TEST(Job, AMissingWorkingDirectoryIsAFailureThatSaysSo) {
  TestJob job;
  job.add("true").working_dir = "nowhere";
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::failed);
  EXPECT_NE(outcome.report.reason.find("working directory"), std::string::npos) << outcome.report.reason;
}

TEST(Job, AnArgvRunsWithoutAShell) {
  TestJob job;
  job.add("").action = model::Argv{{"echo", "$HOME;", "x"}};
  EXPECT_EQ(job.run().output(0), "$HOME; x\n");
}

TEST(Job, ParallelStepsRunTogether) {
  TestJob job;
  // Each waits for the other: in turn they would never end.
  job.add("touch ../a; while [ ! -e ../b ]; do :; done").parallel = true;
  job.add("touch ../b; while [ ! -e ../a ]; do :; done").parallel = true;
  job.spec.timeout = 10s;
  EXPECT_EQ(job.run().report.outcome, model::Outcome::succeeded);
}

TEST(Job, AStepIsTriedAgainWhereItsRetrySaysSo) {
  TestJob job;
  job.add("echo try; [ -e ../tried ] || { touch ../tried; exit 1; }").retry = {2, {model::Outcome::failed}, 1ms};
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
  EXPECT_EQ(outcome.report.steps[0].tries, 2);
  EXPECT_EQ(outcome.output(0), "try\ntry\n");
  EXPECT_EQ(outcome.count(RecordType::step_finished, 0), 2U);
}

TEST(Job, AStepFindsItsEnvironmentAndNothingOfInits) {
  ::setenv("LEAKED_FROM_OUTSIDE", "1", 1);
  TestJob job;
  job.spec.env = {{"A", "job"}, {"B", "job"}, {"PATH", "/usr/bin:/bin"}};
  job.add("env; cat; ulimit -c; umask").env = {{"B", "step"}};
  const std::string text = job.run().output(0);
  for (const char* line : {"A=job\n", "B=step\n", "CI=true\n", "RUN_ID=run1\n", "SLIPWAY_STEP=s0\n",
                           "SLIPWAY_JOB=test\n", "HOME=/home/runner\n", "TMPDIR=/tmp\n", "\n0\n0022\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  EXPECT_NE(text.find("/run/bin:/usr/bin:/bin\n"), std::string::npos);
  EXPECT_EQ(text.find("LEAKED"), std::string::npos);
}

TEST(Job, AStepHasNoDescriptorsButItsOwn) {
  TestJob job;
  job.add("ls /proc/self/fd | tr '\\n' ' '");
  EXPECT_EQ(job.run().output(0), "0 1 2 3 ") << "3 is the directory that ls reads";
}

TEST(Job, SecretsAreMaskedInOutputFromTheStart) {
  TestJob job;
  job.secrets = {{"KEY", "hunter2-hunter2"}};
  job.spec.secrets = {{"KEY", "MY_KEY", "", {}}};
  job.add("echo \"$MY_KEY\"; printf hunter2-; sleep 0.05; printf 'hunter2\\n' ; echo $MY_KEY >&2");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.output(0), "***\n***\n");
  EXPECT_EQ(outcome.output(0, RecordType::output_stderr), "***\n");
  for (const Recorded& record : outcome.records) {
    EXPECT_EQ(record.payload.find("hunter2-hunter2"), std::string::npos);
  }
}

TEST(Job, AWeakSecretIsNamedInANotice) {
  TestJob job;
  job.secrets = {{"SHORT", "ab"}};
  job.add("true");
  const Outcome outcome = job.run();
  ASSERT_TRUE(outcome.has_notice("weak_secret"));
  EXPECT_NE(outcome.payloads(RecordType::notice)[0].find("`SHORT`"), std::string::npos);
}

TEST(Job, AFileSecretLiesInTheSecretsDirectoryReadableByItsOwnerAlone) {
  TestJob job;
  job.secrets = {{"KEY", "file-secret-value"}};
  job.spec.secrets = {{"KEY", "", job.workspace() + "/secrets/KEY", {}}};
  job.add("stat -c %a ../secrets/KEY; wc -c < ../secrets/KEY; env | grep -c file-secret || true");
  EXPECT_EQ(job.run().output(0), "400\n17\n0\n");
}

TEST(Job, AFileSecretElsewhereIsRefused) {
  TestJob job;
  job.secrets = {{"KEY", "file-secret-value"}};
  job.add("true").secrets = {{"KEY", "", job.workspace() + "/src/KEY", {}}};
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::failed);
  EXPECT_EQ(job.file("src/KEY"), "(missing)");
}

TEST(Job, ASecretThatWasNotGivenIsAFailureOfTheInfrastructure) {
  TestJob job;
  job.spec.secrets = {{"KEY", "KEY", "", {}}};
  job.add("true");
  const Outcome outcome = job.run();
  ASSERT_TRUE(outcome.finished);
  EXPECT_EQ(outcome.report.outcome, model::Outcome::infra_failed);
  EXPECT_EQ(outcome.report.reason, "secret `KEY` was not given");
}

TEST(Job, ABackgroundChildNeitherHangsItsStepNorOutlivesTheJob) {
  TestJob job;
  job.add("(trap '' TERM; while :; do sleep 0.02; done) & echo $! > ../child; echo started");
  job.add("kill -0 $(cat ../child) && echo alive");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
  EXPECT_EQ(outcome.output(1), "alive\n");
  EXPECT_NE(::kill(std::stoi(job.file("child")), 0), 0);
}

TEST(Job, WhatABackgroundChildPrintsLaterIsRecordedWithItsStep) {
  TestJob job;
  job.add("(while [ ! -e ../go ]; do sleep 0.01; done; echo late; touch ../said) & echo early");
  job.add("touch ../go; while [ ! -e ../said ]; do sleep 0.01; done");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.output(0), "early\nlate\n");
}

TEST(Job, AChildThatNeverStopsPrintingDoesNotHoldItsStep) {
  TestJob job;
  job.spec.log_head_bytes = 1U << 20U;
  job.spec.log_tail_bytes = 64U << 10U;
  job.add("yes & echo on");
  job.add("echo next");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
  EXPECT_EQ(outcome.output(1), "next\n");
}

TEST(Job, EndChildrenStepEndsThemWithTheirStep) {
  TestJob job;
  job.add("sleep 60 & echo $! > ../child").end_children = true;
  job.add("if kill -0 $(cat ../child) 2>/dev/null; then echo alive; else echo gone; fi");
  EXPECT_EQ(job.run().output(1), "gone\n");
}

TEST(Job, AStepPastItsTimeoutIsEndedWithItsWholeGroup) {
  TestJob job;
  model::StepSpec& step = job.add("sh -c 'trap \"\" TERM; echo $$ > ../child; while :; do sleep 0.02; done' & wait");
  step.timeout = 200ms;
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome_of(outcome, 0), model::Outcome::timed_out);
  EXPECT_EQ(outcome.report.outcome, model::Outcome::timed_out);
  EXPECT_NE(outcome.report.reason.find("200 ms"), std::string::npos) << outcome.report.reason;
  EXPECT_NE(::kill(std::stoi(job.file("child")), 0), 0);
}

TEST(Job, AStepThatHandlesTheTermSignalHasItsGrace) {
  TestJob job;
  job.spec.grace = 5s;
  job.add("trap 'echo cleaned; exit 0' TERM; while :; do sleep 0.02; done").timeout = 200ms;
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.output(0), "cleaned\n");
  EXPECT_EQ(outcome_of(outcome, 0), model::Outcome::timed_out) << "whatever its exit code";
}

TEST(Job, ASilentStepTimesOut) {
  TestJob job;
  job.add("for i in 1 2 3 4; do echo $i; sleep 0.1; done; sleep 60").no_output_timeout = 300ms;
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.output(0), "1\n2\n3\n4\n");
  EXPECT_EQ(outcome_of(outcome, 0), model::Outcome::timed_out);
}

TEST(Job, AJobPastItsTimeoutIsTimedOutAndItsAlwaysStepStillRuns) {
  TestJob job;
  job.spec.timeout = 200ms;
  job.spec.grace = 5s;
  job.add("sleep 60");
  model::StepSpec& clean = job.add("echo cleaned");
  clean.condition =
      std::make_shared<const model::Expression>(model::Expression{model::Call{"always", {}}, {}, "always"});
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::timed_out);
  EXPECT_EQ(outcome.output(1), "cleaned\n");
}

TEST(Job, WhatAFinishedJobLeftRunningNeitherHoldsItNorTurnsItRed) {
  TestJob job;
  job.spec.timeout = 900ms;
  job.spec.grace = 60s;
  job.add(
      "sh -c \"trap '' TERM; echo ready > ../ready; while :; do sleep 0.02; done\" & while [ ! -s ../ready ]; do sleep "
      "0.01; done");
  const auto began = os::Clock::now();
  EXPECT_EQ(job.run().report.outcome, model::Outcome::succeeded);
  EXPECT_LT(os::Clock::now() - began, 20s);
}

TEST(Job, TimeThatItsArtifactsTakeIsNotTheJobs) {
  TestJob job;
  job.spec.timeout = 400ms;
  job.spec.artifacts = {{"out", {"out"}, model::ArtifactDefinition::When::always, {}}};
  job.add("echo x >out");
  job.before_bundle = [] { ::poll(nullptr, 0, 700); };  // the owner takes longer than the timeout
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
  EXPECT_EQ(outcome.report.artifacts, std::vector<std::string>{"out"});
}

TEST(Job, CancellationIsPoliteThenFirm) {
  TestJob job;
  job.add("trap 'echo term' TERM; echo ready; while :; do sleep 0.02; done");
  job.add("echo never");
  job.when_printed("ready", [&] { job.send(wire::Cancel{wire::Cancel::Why::by_user, false}); });
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::cancelled);
  EXPECT_EQ(outcome.output(0), "ready\nterm\n");
  EXPECT_EQ(outcome_of(outcome, 0), model::Outcome::cancelled);
  EXPECT_EQ(outcome_of(outcome, 1), model::Outcome::skipped);
}

TEST(Job, CancellationAtOnceDoesNotWait) {
  TestJob job;
  job.spec.grace = 60s;
  job.add("trap '' TERM; echo ready; while :; do sleep 0.02; done");
  job.when_printed("ready", [&] { job.send(wire::Cancel{wire::Cancel::Why::by_user, true}); });
  EXPECT_EQ(job.run().report.outcome, model::Outcome::cancelled);
}

TEST(Job, ASecondCancellationBringsTheEndForward) {
  TestJob job;
  job.spec.grace = 60s;
  job.add("trap 'echo term' TERM; echo ready; while :; do sleep 0.02; done");
  job.when_printed("ready", [&] { job.send(wire::Cancel{wire::Cancel::Why::by_user, false}); });
  job.when_printed("term", [&] { job.send(wire::Cancel{wire::Cancel::Why::by_user, true}); });
  EXPECT_EQ(job.run().report.outcome, model::Outcome::cancelled);
}

TEST(Job, AnOwnerThatDiesRightAfterItsOrdersEndsTheJob) {
  for (int i = 0; i < 5; ++i) {
    TestJob job;
    job.add("sleep 60");
    job.start();
    job.close_leash();
    EXPECT_FALSE(job.wait().finished);
  }
}

TEST(Job, TheEndOfTheLeashEndsEveryProcess) {
  TestJob job;
  job.add(
      "(setsid sh -c 'echo $$ > ../child; sleep 60') & while [ ! -s ../child ]; do sleep 0.01; done; echo ready; sleep "
      "60");
  job.when_printed("ready", [&] { job.close_leash(); });
  const Outcome outcome = job.run();
  EXPECT_FALSE(outcome.finished) << "the journal's end is the owner's to write";
}

TEST(Job, OutputPastTheHeadKeepsItsTailAndSaysWhatWasLost) {
  TestJob job;
  job.spec.log_head_bytes = 100'000;
  job.spec.log_tail_bytes = 100'000;
  job.add("head -c 3000000 /dev/zero | tr '\\0' x; echo the end");
  const Outcome outcome = job.run();
  const std::string text = outcome.output(0);
  EXPECT_GE(text.size(), 100'000U);
  EXPECT_LT(text.size(), 300'000U);
  EXPECT_TRUE(text.ends_with("the end\n"));
  EXPECT_GE(outcome.payloads(RecordType::truncation).size(), 1U);
}

TEST(Job, AProgramThatWritesByteByByteMakesFewRecords) {
  TestJob job;
  job.add("").action = model::Argv{{"perl", "-e", "$|=1; print 'x' for 1..100000"}};
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.output(0).size(), 100'000U);
  EXPECT_LT(outcome.count(RecordType::output_stdout, 0), 500U);
}

TEST(Job, FilesLeftInTheWorkspaceSetOutputsAndTriggers) {
  TestJob job;
  job.add(
      "printf 'version=1.2=3\\ntext<<END\\na\\nb\\nEND\\n' > ../outputs.env; echo '{\"jobs\":[]}' > ../triggers.json; "
      "exit 3");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outputs.at("version"), "1.2=3");
  EXPECT_EQ(outcome.report.outputs.at("text"), "a\nb");
  ASSERT_EQ(outcome.payloads(RecordType::trigger).size(), 1U);
}

TEST(Job, WhatATryAskedNotToObeyTheNextOneDoes) {
  TestJob job;
  job.add("echo ::warning::heard; test -e ../again || { touch ../again; echo ::stop-commands::x; exit 1; }").retry = {
      1, {model::Outcome::failed}, 1ms};
  EXPECT_EQ(job.run().count(RecordType::annotation, 0), 2U);
}

TEST(Job, LinksFifosAndHugeFilesInTheWorkspaceAreRefused) {
  for (const char* script :
       {"ln -s /etc/hostname ../outputs.env", "mkfifo ../triggers.json", "head -c 2000000 /dev/zero > ../outputs.env",
        "echo nonsense > ../outputs.env", "echo '[1]' > ../triggers.json"}) {
    TestJob job;
    job.add(script);
    const Outcome outcome = job.run();
    EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
    EXPECT_TRUE(outcome.report.outputs.empty());
    EXPECT_TRUE(outcome.payloads(RecordType::trigger).empty());
    EXPECT_EQ(outcome.payloads(RecordType::annotation).size(), 1U) << script;
  }
}

TEST(Job, ArtifactsAreStoredByOutcomeAndCachesOnSuccess) {
  TestJob job;
  using When = model::ArtifactDefinition::When;
  job.spec.artifacts = {{"good", {"*.txt"}, When::success, {}},
                        {"bad", {"*.txt"}, When::failure, {}},
                        {"both", {"*.txt"}, When::always, {}}};
  job.spec.cache = {{"new", {}, {"dir"}}, {"old", {}, {"dir"}}};
  job.refused_caches = {"old"};
  job.add("echo a > a.txt; echo b > ../artifacts/b; mkdir dir; echo c > dir/c");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.artifacts, (std::vector<std::string>{"good", "both", "artifacts"}));
  EXPECT_EQ(job.bundles().size(), 4U);
  EXPECT_TRUE(outcome.has_notice("cache_not_stored"));
  EXPECT_EQ(outcome.payloads(RecordType::artifact).size(), 4U);
}

TEST(Job, AFileWhoseNameHoldsASecretIsLeftOutAndNotNamed) {
  TestJob job;
  job.secrets = {{"KEY", "hunter2-hunter2"}};
  job.spec.secrets = {{"KEY", "KEY", "", {}}};
  job.spec.artifacts = {{"out", {"out"}, model::ArtifactDefinition::When::always, {}}};
  job.add("mkdir -p out/$KEY; echo x >out/fine; echo x >out/a-$KEY.txt; echo x >out/$KEY/inner");
  const Outcome outcome = job.run();
  ASSERT_EQ(job.bundles().size(), 1U);
  EXPECT_NE(job.bundles().begin()->second.find("out/fine"), std::string::npos);
  EXPECT_EQ(job.bundles().begin()->second.find("hunter2"), std::string::npos);
  const auto artifacts = outcome.payloads(RecordType::artifact);
  ASSERT_EQ(artifacts.size(), 1U);
  EXPECT_NE(artifacts[0].find("out/a-***.txt: its name holds a secret"), std::string::npos) << artifacts[0];
  EXPECT_EQ(artifacts[0].find("hunter2"), std::string::npos);
}

TEST(Job, AFailedJobStoresItsFailureArtifactsAndNoCache) {
  TestJob job;
  using When = model::ArtifactDefinition::When;
  job.spec.artifacts = {{"good", {"*.txt"}, When::success, {}}, {"bad", {"*.txt"}, When::failure, {}}};
  job.spec.cache = {{"new", {}, {"dir"}}};
  job.add("echo a > a.txt; mkdir dir; echo c > dir/c; exit 1");
  EXPECT_EQ(job.run().report.artifacts, (std::vector<std::string>{"bad"}));
  EXPECT_EQ(job.bundles().size(), 1U);
}

TEST(Job, EveryArtifactThatFindsNoTimeIsANotice) {
  TestJob job;
  using When = model::ArtifactDefinition::When;
  job.spec.artifacts = {{"one", {"*.txt"}, When::always, {}}, {"two", {"*.txt"}, When::always, {}}};
  job.add("echo a > a.txt");
  // The end of the time to gather comes as a cancellation does.
  job.before_bundle = [&job, sent = false]() mutable {
    if (!std::exchange(sent, true)) job.send(wire::Cancel{});
  };
  const Outcome outcome = job.run();
  EXPECT_TRUE(outcome.has_notice("artifact_not_stored"));
  for (const char* name : {"`one`", "`two`"}) {
    int told = 0;
    for (const Recorded& record : outcome.records) told += record.payload.find(name) != std::string::npos ? 1 : 0;
    EXPECT_EQ(told, 1) << name;
  }
  EXPECT_TRUE(job.bundles().empty());
}

TEST(Job, AnArtifactThatMatchesNothingIsANotice) {
  TestJob job;
  job.spec.artifacts = {{"none", {"*.nothing"}, model::ArtifactDefinition::When::always, {}}};
  job.add("true");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded);
  EXPECT_TRUE(outcome.has_notice("artifact_not_stored"));
}

TEST(Job, WhatOneJobStoresAnotherFindsInItsInputs) {
  TestJob first;
  first.spec.artifacts = {{"dist", {"out/**"}, model::ArtifactDefinition::When::success, {}}};
  first.add("mkdir -p out/deep; echo content > out/deep/file");
  first.run();
  ASSERT_EQ(first.bundles().size(), 1U);
  TestJob second;
  const std::string path = second.workspace() + "/bundle";
  ASSERT_TRUE(os::replace_file(path, first.bundles().begin()->second, 0600));
  const os::Fd bundle = os::open_file(path, O_RDONLY).value();
  second.inputs = {{{second.workspace() + "/inputs/dist", false}, bundle.get()}};
  second.add("cat ../inputs/dist/out/deep/file");
  EXPECT_EQ(second.run().output(0), "content\n");
}

TEST(Job, InputsThatComeBeforeTheOrdersAreUnpackedToo) {
  TestJob first;
  first.spec.artifacts = {{"dist", {"out/**"}, model::ArtifactDefinition::When::success, {}}};
  first.add("mkdir -p out; echo content > out/file");
  first.run();
  ASSERT_EQ(first.bundles().size(), 1U);
  TestJob second;
  const std::string path = second.workspace() + "/bundle";
  ASSERT_TRUE(os::replace_file(path, first.bundles().begin()->second, 0600));
  std::vector<os::Fd> bundles;  // each reader moves its descriptor's position
  for (const char* name : {"a", "b", "c"}) {
    bundles.push_back(os::open_file(path, O_RDONLY).value());
    second.inputs.push_back({{second.workspace() + "/inputs/" + name, false}, bundles.back().get()});
  }
  second.inputs_ahead = 2;
  second.add("cat ../inputs/a/out/file ../inputs/b/out/file ../inputs/c/out/file");
  EXPECT_EQ(second.run().output(0), "content\ncontent\ncontent\n");
}

TEST(Job, ABrokenInputIsAFailureOfTheInfrastructure) {
  TestJob job;
  const std::string path = job.workspace() + "/bundle";
  ASSERT_TRUE(os::replace_file(path, "this is no bundle", 0600));
  const os::Fd bundle = os::open_file(path, O_RDONLY).value();
  job.inputs = {{{job.workspace() + "/inputs/dist", false}, bundle.get()}};
  job.add("echo never");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::infra_failed);
  EXPECT_EQ(outcome.output(0), "");
}

TEST(Job, ATimeoutWhileItsInputsAreUnpackedIsATimeout) {
  TestJob job;
  const os::SocketPair endless = os::make_socket_pair().value();  // nothing ever comes
  job.inputs = {{{job.workspace() + "/inputs/dist", false}, endless.first.get()}};
  job.spec.timeout = 100ms;
  job.add("echo never");
  const Outcome outcome = job.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::timed_out);
  EXPECT_EQ(outcome.output(0), "");
}

}  // namespace
}  // namespace slipway::init
