#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "store/sqlite/sqlite_store.h"
#include "store/store.h"

namespace slipway::store {
namespace {

using model::JobState;
using model::Outcome;

/// A fresh place, and a way to open the store in it: more than once, as several processes would.
struct Backend {
  std::string name;
  std::function<Result<std::unique_ptr<Store>>(const std::filesystem::path& dir)> open;
};

class StoreContract : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "slipway-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
    store_ = open();
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(dir_);
  }
  std::unique_ptr<Store> open() {
    auto store = GetParam().open(dir_);
    EXPECT_TRUE(store) << (store ? "" : store.error().what);
    return std::move(store).value();
  }
  static RunRow run(std::string id, std::string project = "/p") {
    return {.id = RunId(std::move(id)),
            .project = std::move(project),
            .workflow = "ci",
            .event = "push",
            .branch = "main",
            .created = from_micros(1000),
            .secret_names = {"KEY"},
            .owner = "me"};
  }
  static JobRow job(const RunRow& run, model::JobIndex index, std::string name, JobState state,
                    std::optional<Outcome> outcome) {
    return {.run = run.id,
            .index = index,
            .name = name,
            .definition = name.substr(0, name.find(' ')),
            .state = state,
            .outcome = outcome,
            .attempts = 1,
            .attempt = AttemptId("a"),
            .started = from_micros(5),
            .finished = from_micros(9),
            .outputs = {{"version", "1.2\n\"3\""}}};
  }

  std::filesystem::path dir_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreContract, NumbersRunsPerProjectAndNeverReusesANumber) {
  EXPECT_EQ(store_->add_run(run("aaaa1")), 1);
  EXPECT_EQ(store_->add_run(run("aaaa2")), 2);
  EXPECT_EQ(store_->add_run(run("bbbb1", "/q")), 1);
  ASSERT_TRUE(store_->remove_run(RunId("aaaa2")));
  EXPECT_EQ(store_->add_run(run("aaaa3")), 3);
}

TEST_P(StoreContract, AnIdCannotBeAddedTwice) {
  ASSERT_TRUE(store_->add_run(run("aaaa1")));
  const auto again = store_->add_run(run("aaaa1"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::conflict);
}

TEST_P(StoreContract, WhatWasCommittedIsThereAfterReopening) {
  RunRow ours = run("aaaa1");
  ASSERT_TRUE(store_->add_run(ours));
  ours.state = model::RunState::finished;
  ours.outcome = Outcome::failed;
  ours.exit_code = 1;
  const model::AttemptReport report{
      .attempt = AttemptId("t1"),
      .outcome = Outcome::failed,
      .exit_code = 7,
      .reason = "step `x`",
      .started = from_micros(3),
      .finished = from_micros(4),
      .steps = {{.name = "x", .outcome = Outcome::failed, .exit_code = 7, .cpu_micros = 12}},
      .outputs = {{"k", "v"}},
      .triggers = {{"{}"}},
      .artifacts = {"dist"},
      .journal_bytes = 99};
  const Batch batch{
      .runs = {ours},
      .jobs = {job(ours, 0, "test (gcc)", JobState::finished, Outcome::failed)},
      .attempts = {{AttemptId("t1"), ours.id, "test (gcc)", 1, "runs/aaaa1/t1.journal", from_micros(3), report}},
      .decisions = {{ours.id, {"test (gcc)", "run", {{"branch == \"main\"", "true"}}}, from_micros(2)}},
      .triggers = {{ours.id, "test (gcc)", "deploy", "{\"a\":1}", false, "not followed", from_micros(6)}}};
  ASSERT_TRUE(store_->commit(batch));
  store_.reset();
  store_ = open();

  const auto found = store_->find_run("/p", "aaaa1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outcome, Outcome::failed);
  EXPECT_EQ(found->secret_names, std::vector<std::string>{"KEY"});
  const auto jobs = store_->jobs_of(ours.id);
  ASSERT_TRUE(jobs && jobs->size() == 1);
  EXPECT_EQ(jobs->front().outputs.at("version"), "1.2\n\"3\"");
  const auto attempts = store_->attempts_of(ours.id);
  ASSERT_TRUE(attempts && attempts->size() == 1 && attempts->front().report);
  EXPECT_EQ(attempts->front().report->steps.at(0).cpu_micros, 12U);
  EXPECT_EQ(attempts->front().report->exit_code, 7);
  EXPECT_EQ(attempts->front().report->triggers.at(0).json, "{}");
  const auto decisions = store_->decisions_of(ours.id);
  ASSERT_TRUE(decisions && decisions->size() == 1);
  EXPECT_EQ(decisions->front().decision.because.at(0).outcome, "true");
  const auto triggers = store_->triggers_of(ours.id);
  ASSERT_TRUE(triggers && triggers->size() == 1);
  EXPECT_FALSE(triggers->front().accepted);
}

TEST_P(StoreContract, FindsRunsByNumberPrefixAndLatest) {
  ASSERT_TRUE(store_->add_run(run("abcd1")));
  ASSERT_TRUE(store_->add_run(run("abcd2")));
  EXPECT_EQ(store_->find_run("/p", "#1")->id.value, "abcd1");
  EXPECT_EQ(store_->find_run("/p", "2")->id.value, "abcd2");
  EXPECT_EQ(store_->find_run("/p", "latest")->id.value, "abcd2");
  EXPECT_EQ(store_->find_run("/other", "abcd2")->number, 2);
  EXPECT_EQ(store_->find_run("/p", "abcd").error().kind, ErrorKind::conflict);
  EXPECT_EQ(store_->find_run("/p", "ab").error().kind, ErrorKind::not_found);
  EXPECT_EQ(store_->find_run("/p", "9").error().kind, ErrorKind::not_found);
}

TEST_P(StoreContract, PagesThroughRunsNewestFirst) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(store_->add_run(run(fmt::format("run{}", i), i == 2 ? "/q" : "/p")));
  const auto first = store_->list_runs({.project = "/p"}, 3, "");
  ASSERT_TRUE(first && first->next);
  EXPECT_EQ(first->runs.at(0).id.value, "run4");
  const auto rest = store_->list_runs({.project = "/p"}, 3, *first->next);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->runs.at(0).id.value, "run0");
  EXPECT_FALSE(rest->next);
  EXPECT_EQ(store_->list_runs({}, 3, "x").error().kind, ErrorKind::invalid);
}

TEST_P(StoreContract, TellsWhichJobsRunAndHowTheyLastEnded) {
  RunRow done = run("aaaa1");
  RunRow live = run("aaaa2");
  ASSERT_TRUE(store_->add_run(done));
  ASSERT_TRUE(store_->add_run(live));
  done.outcome = Outcome::succeeded;
  ASSERT_TRUE(store_->commit({.runs = {done},
                              .jobs = {job(done, 0, "test (gcc)", JobState::finished, Outcome::succeeded),
                                       job(live, 0, "test (gcc)", JobState::running, std::nullopt)}}));
  JobRow deploy = job(live, 1, "deploy", JobState::running, std::nullopt);
  deploy.environment = "production";
  ASSERT_TRUE(store_->commit({.jobs = {deploy}}));
  EXPECT_EQ(store_->jobs_of(live.id)->at(1).environment, "production");
  const auto running = store_->running_jobs("/p", "test");
  ASSERT_TRUE(running && running->size() == 1);
  EXPECT_EQ(running->front().run, live.id);
  const auto newest = store_->newest_result("/p", "test (gcc)");
  ASSERT_TRUE(newest && *newest);
  EXPECT_EQ((*newest)->run, done.id);
  EXPECT_FALSE(*store_->newest_result("/p", "nothing"));
  ASSERT_EQ(store_->unfinished_runs()->size(), 1U);
}

TEST_P(StoreContract, RemovingARunRemovesAllOfIt) {
  const RunRow ours = run("aaaa1");
  ASSERT_TRUE(store_->add_run(ours));
  ASSERT_TRUE(store_->commit(
      {.jobs = {job(ours, 0, "a", JobState::waiting, std::nullopt)}, .decisions = {{ours.id, {"a", "run", {}}, {}}}}));
  ASSERT_TRUE(store_->remove_run(ours.id));
  EXPECT_TRUE(store_->jobs_of(ours.id)->empty());
  EXPECT_TRUE(store_->decisions_of(ours.id)->empty());
  EXPECT_EQ(store_->remove_run(ours.id).error().kind, ErrorKind::not_found);
}

TEST_P(StoreContract, KeepsTestResultsWithTheirHistory) {
  const auto add = [&](std::string id, std::string commit, std::vector<TestsRow> tests) {
    RunRow row = run(std::move(id));
    row.commit = std::move(commit);
    ASSERT_TRUE(store_->add_run(row));
    for (TestsRow& one : tests) one.run = row.id;
    Batch batch;
    batch.tests = std::move(tests);
    ASSERT_TRUE(store_->commit(batch));
  };
  const auto test = [](std::string name, model::TestOutcome outcome, std::string message = {}) {
    return model::TestResult{"suite", std::move(name), outcome, Duration(1500), std::move(message), ""};
  };
  using enum model::TestOutcome;
  add("aaaa1", "c1", {{{}, "unit", 1, {test("a", passed), test("b", failed, "broke")}}});
  add("aaaa2", "c2",
      {{{}, "unit", 1, {test("a", passed), test("b", failed)}},
       {{}, "unit", 2, {test("a", passed), test("b", passed), test("c", skipped)}}});
  const auto tests = store_->tests_of(RunId("aaaa2"), Store::TestDetail::with_texts);
  ASSERT_TRUE(tests) << tests.error().what;
  ASSERT_EQ(tests->size(), 3U);
  EXPECT_EQ((*tests)[0].result.name, "a");
  EXPECT_TRUE((*tests)[0].history.empty());       // never failed
  EXPECT_EQ((*tests)[1].result.outcome, passed);  // by the last attempt
  ASSERT_EQ((*tests)[1].history.size(), 3U);
  EXPECT_EQ((*tests)[1].history[0].attempt, 2);
  EXPECT_EQ((*tests)[1].history[2].commit, "c1");
  EXPECT_EQ((*tests)[2].result.outcome, skipped);
  const auto first = store_->tests_of(RunId("aaaa1"), Store::TestDetail::with_texts);
  ASSERT_TRUE(first);
  EXPECT_EQ((*first)[1].result.message, "broke");
  EXPECT_EQ((*first)[1].history.size(), 1U);  // what came later is no history
  ASSERT_TRUE(store_->remove_run(RunId("aaaa1")));
  EXPECT_EQ(store_->tests_of(RunId("aaaa2"), Store::TestDetail::outcomes)->at(1).history.size(), 2U);
}

TEST_P(StoreContract, SeveralWritersTakeTurns) {
  constexpr int kWriters = 4, kRuns = 25;
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([this, w] {
        const auto mine = open();
        for (int i = 0; i < kRuns; ++i) {
          const RunRow row = run(fmt::format("w{}r{}", w, i));
          ASSERT_TRUE(mine->add_run(row));
          ASSERT_TRUE(mine->commit({.jobs = {job(row, 0, "a", JobState::running, std::nullopt)}}));
        }
      });
    }
  }
  EXPECT_EQ(store_->list_runs({}, 1000, "")->runs.size(), static_cast<std::size_t>(kWriters * kRuns));
  EXPECT_EQ(store_->find_run("/p", "latest")->number, kWriters * kRuns);
}

INSTANTIATE_TEST_SUITE_P(Backends, StoreContract,
                         testing::Values(Backend{
                             "sqlite",
                             [](const std::filesystem::path& dir) { return open_sqlite({dir / "store.db"}); }}),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace slipway::store
