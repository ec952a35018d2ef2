#include "engine/dispatcher.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <thread>

#include <unistd.h>

#include <fmt/format.h>

#include "engine/fake_executor_for_test.h"
#include "model/plan.h"
#include "os/test_directory.h"
#include "store/sqlite/sqlite_store.h"

namespace slipway::engine {
namespace {

using model::AttemptReport;
using model::JobDefinition;
using model::Outcome;
using model::Template;

struct Silent final : Log {
  void write(LogLevel, std::string_view, std::initializer_list<LogField>) noexcept override {}
};

/// Remembers what it was told; read after the end only.
struct Recorder final : model::Listener {
  std::vector<model::Notice> notices;
  std::function<void(const model::Notice&)> also;
  void on_notice(const model::Notice& notice) override {
    notices.push_back(notice);
    if (also) also(notice);
  }
  template <class N>
  std::vector<N> all() const {
    std::vector<N> found;
    for (const model::Notice& notice : notices) {
      if (const auto* wanted = std::get_if<N>(&notice)) found.push_back(*wanted);
    }
    return found;
  }
};

/// A store whose commits fail once told to.
class BreakingStore final : public store::Store {
 public:
  explicit BreakingStore(store::Store& inner) : inner_(inner) {}
  int commits_left = 0;
  Result<std::int64_t> add_run(const store::RunRow& run) override { return inner_.add_run(run); }
  Result<void> commit(const store::Batch& batch) override {
    if (commits_left-- <= 0) return fail(ErrorKind::exhausted, "disk is full");
    return inner_.commit(batch);
  }
  Result<void> remove_run(const RunId& run) override { return inner_.remove_run(run); }
  Result<store::RunPage> list_runs(const store::RunFilter& f, std::size_t n, const std::string& c) override {
    return inner_.list_runs(f, n, c);
  }
  Result<store::RunRow> find_run(const std::string& p, const std::string& t) override { return inner_.find_run(p, t); }
  Result<std::vector<store::JobRow>> jobs_of(const RunId& r) override { return inner_.jobs_of(r); }
  Result<std::vector<store::AttemptRow>> attempts_of(const RunId& r) override { return inner_.attempts_of(r); }
  Result<std::vector<store::DecisionRow>> decisions_of(const RunId& r) override { return inner_.decisions_of(r); }
  Result<std::vector<store::TriggerRow>> triggers_of(const RunId& r) override { return inner_.triggers_of(r); }
  Result<std::vector<store::TestRow>> tests_of(const RunId& r, TestDetail d) override { return inner_.tests_of(r, d); }
  Result<std::optional<store::JobResult>> newest_result(const std::string& p, const std::string& j) override {
    return inner_.newest_result(p, j);
  }
  Result<std::vector<store::JobResult>> running_jobs(const std::string& p, const std::string& j) override {
    return inner_.running_jobs(p, j);
  }
  Result<std::vector<store::RunRow>> unfinished_runs() override { return inner_.unfinished_runs(); }

 private:
  store::Store& inner_;
};

JobDefinition job(std::string name, std::vector<std::string> depends_on = {}) {
  JobDefinition made;
  made.name = std::move(name);
  made.depends_on = std::move(depends_on);
  model::StepDefinition step;
  step.name = "main";
  step.action = model::Script{"true"};
  made.steps = {step};
  return made;
}

AttemptReport ended(Outcome outcome) { return {.outcome = outcome, .exit_code = outcome == Outcome::failed ? 1 : 0}; }

class DispatcherTest : public testing::Test {
 protected:
  Submission submission(std::vector<JobDefinition> jobs, model::RunOptions options = {},
                        std::optional<model::Concurrency> group = {}) {
    auto workflow = std::make_shared<model::Workflow>();
    workflow->name = "ci";
    workflow->jobs = std::move(jobs);
    workflow->concurrency = std::move(group);
    auto run = model::plan({.id = RunId(new_id()), .workflow = workflow, .options = std::move(options)});
    EXPECT_TRUE(run) << run.error().what;
    return {.run = std::move(*run), .project = "/p"};
  }

  Submission in_group(model::Concurrency::Policy policy, model::RunOptions options = {}) {
    return submission({job("a")}, std::move(options), model::Concurrency{Template::of("g"), policy});
  }

  std::vector<RunOutcome> run(std::vector<Submission> submissions, FakeExecutor::Answer answer, std::uint32_t slots = 4,
                              const StopRequests& stops = {}) {
    executor_ = std::make_unique<FakeExecutor>(std::move(answer));
    Dispatcher dispatcher(*store_, *executor_, triggers_, recorder_, log_, {.slots = slots, .owner = "me"});
    auto outcomes = dispatcher.run_to_end(std::move(submissions), stops);
    EXPECT_TRUE(outcomes);
    return std::move(*outcomes);
  }
  std::vector<RunOutcome> run(Submission submission, FakeExecutor::Answer answer, std::uint32_t slots = 4,
                              const StopRequests& stops = {}) {
    std::vector<Submission> one;
    one.push_back(std::move(submission));
    return run(std::move(one), std::move(answer), slots, stops);
  }

  os::TestDirectory dir_;
  std::unique_ptr<store::Store> store_ = store::open_sqlite({dir_ / "store.db"}).value();
  Silent log_;
  Recorder recorder_;
  JsonTriggerReader triggers_{{}};
  std::unique_ptr<FakeExecutor> executor_;
};

const FakeExecutor::Answer kSucceeds = [](const model::JobSpec&) { return ended(Outcome::succeeded); };

TEST_F(DispatcherTest, RunsAWorkflowToItsEndAndKeepsWhatHappened) {
  const auto outcomes = run(submission({job("build"), job("test", {"build"})}), kSucceeds);
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes[0].exit_code, 0);
  EXPECT_EQ(executor_->started(), (std::vector<std::string>{"build", "test"}));

  const auto row = store_->find_run("/p", "latest");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->outcome, Outcome::succeeded);
  EXPECT_EQ(row->number, outcomes[0].number);
  const auto jobs = store_->jobs_of(row->id);
  ASSERT_EQ(jobs->size(), 2U);
  EXPECT_EQ(jobs->at(1).state, model::JobState::finished);
  const auto attempts = store_->attempts_of(row->id);
  ASSERT_EQ(attempts->size(), 2U);
  EXPECT_TRUE(attempts->at(0).report);
  EXPECT_NE(attempts->at(0).journal_path, "");
  EXPECT_FALSE(store_->decisions_of(row->id)->empty());
}

TEST_F(DispatcherTest, TellsTheListenerInOrder) {
  run(submission({job("a")}), kSucceeds);
  std::vector<std::size_t> kinds;
  for (const auto& notice : recorder_.notices) {
    if (!std::holds_alternative<model::AttemptProgress>(notice)) kinds.push_back(notice.index());
  }
  EXPECT_EQ(kinds, (std::vector<std::size_t>{0, 2, 4, 5, 7}));  // run, attempt, attempt ended, job ended, run ended
}

TEST_F(DispatcherTest, AFailureSkipsDependentsAndDecidesTheExitCode) {
  const auto outcomes = run(submission({job("a"), job("b", {"a"}), job("c")}), [](const model::JobSpec& spec) {
    return ended(spec.job == "a" ? Outcome::failed : Outcome::succeeded);
  });
  EXPECT_EQ(outcomes[0].exit_code, 1);
  EXPECT_EQ(store_->jobs_of(outcomes[0].run)->at(1).outcome, Outcome::skipped);
}

TEST_F(DispatcherTest, InfraFailuresAreTriedAgain) {
  int tries = 0;
  JobDefinition flaky = job("a");
  flaky.retry = model::Retry{.attempts = 2, .on = {Outcome::infra_failed}, .backoff = std::chrono::milliseconds(5)};
  const auto outcomes = run(submission({flaky}), [&](const model::JobSpec&) {
    return ended(++tries < 3 ? Outcome::infra_failed : Outcome::succeeded);
  });
  EXPECT_EQ(outcomes[0].exit_code, 0);
  EXPECT_EQ(store_->attempts_of(outcomes[0].run)->size(), 3U);
}

TEST_F(DispatcherTest, NeverStartsMoreThanItHasSlots) {
  std::stop_source stop;
  std::vector<JobDefinition> jobs;
  for (int i = 0; i < 20; ++i) jobs.push_back(job(fmt::format("j{}", i)));
  int started = 0;
  recorder_.also = [&](const model::Notice& notice) {
    if (std::holds_alternative<model::AttemptStarted>(notice) && ++started == 3) stop.request_stop();
  };
  const auto outcomes =
      run(submission(jobs), [](const model::JobSpec&) { return std::nullopt; }, 3, {.graceful = stop.get_token()});
  EXPECT_EQ(executor_->started().size(), 3U);
  EXPECT_EQ(outcomes[0].exit_code, 3);
}

TEST_F(DispatcherTest, CancellingStopsWhatRunsAndStillRunsAlwaysJobs) {
  std::stop_source stop;
  JobDefinition cleanup = job("cleanup", {"a"});
  cleanup.condition =
      std::make_shared<const model::Expression>(model::Expression{model::Call{"always", {}}, {}, "always"});
  recorder_.also = [&](const model::Notice& notice) {
    if (std::holds_alternative<model::AttemptStarted>(notice)) stop.request_stop();
  };
  const auto outcomes = run(submission({job("a"), job("b", {"a"}), cleanup}),
                            [](const model::JobSpec& spec) -> std::optional<AttemptReport> {
                              if (spec.job == "a") return std::nullopt;
                              return ended(Outcome::succeeded);
                            },
                            4, {.graceful = stop.get_token()});
  EXPECT_EQ(executor_->started(), (std::vector<std::string>{"a", "cleanup"}));
  EXPECT_EQ(outcomes[0].outcome, Outcome::cancelled);
}

TEST_F(DispatcherTest, AStopThatIsThereAlreadyCancelsEverything) {
  std::stop_source stop;
  stop.request_stop();
  const auto outcomes = run(submission({job("a")}), [](const model::JobSpec&) { return std::nullopt; }, 1,
                            {.graceful = {}, .at_once = stop.get_token()});
  EXPECT_EQ(outcomes[0].outcome, Outcome::cancelled);
}

TEST_F(DispatcherTest, SeveralRunsShareTheSlotsAndEachEnds) {
  std::vector<Submission> all;
  for (int i = 0; i < 5; ++i) all.push_back(submission({job("a"), job("b", {"a"})}));
  const auto outcomes = run(std::move(all), kSucceeds, 2);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].exit_code, 0);
    EXPECT_EQ(outcomes[i].number, static_cast<std::int64_t>(i + 1));
  }
}

TEST_F(DispatcherTest, ANewerRunTakesTheConcurrencyGroup) {
  const model::Concurrency group{Template::of("g"), model::Concurrency::Policy::cancel_running};
  std::vector<Submission> both;
  both.push_back(submission({job("old")}, {}, group));
  both.push_back(submission({job("new")}, {}, group));
  const auto outcomes = run(std::move(both), [](const model::JobSpec& spec) -> std::optional<AttemptReport> {
    if (spec.job == "old") return std::nullopt;
    return ended(Outcome::succeeded);
  });
  EXPECT_EQ(outcomes[0].outcome, Outcome::cancelled);
  EXPECT_EQ(outcomes[1].outcome, Outcome::succeeded);
}

TEST_F(DispatcherTest, TriggersAreToldAndOnlyFollowedWhenAsked) {
  const auto answer = [](const model::JobSpec& spec) {
    AttemptReport report = ended(Outcome::succeeded);
    if (spec.job == "a") report.triggers = {{R"({"job_name":"more","run":"true"})"}};
    return report;
  };
  const auto outcomes = run(submission({job("a")}), answer);
  EXPECT_EQ(executor_->started(), std::vector<std::string>{"a"});
  ASSERT_EQ(store_->triggers_of(outcomes[0].run)->size(), 1U);
  EXPECT_FALSE(store_->triggers_of(outcomes[0].run)->at(0).accepted);

  const auto followed = run(submission({job("a")}, {.follow_triggers = true}), answer);
  EXPECT_EQ(executor_->started(), (std::vector<std::string>{"a", "more"}));
  EXPECT_TRUE(store_->triggers_of(followed[0].run)->at(0).accepted);
  EXPECT_EQ(store_->jobs_of(followed[0].run)->size(), 2U);
}

TEST_F(DispatcherTest, AStoreThatBreaksEndsTheRunsAsInfraFailed) {
  BreakingStore breaking(*store_);
  breaking.commits_left = 1;
  executor_ = std::make_unique<FakeExecutor>([](const model::JobSpec&) { return std::nullopt; });
  Dispatcher dispatcher(breaking, *executor_, triggers_, recorder_, log_, {.slots = 1, .owner = "me"});
  std::vector<Submission> one;
  one.push_back(submission({job("a")}));
  const auto outcomes = dispatcher.run_to_end(std::move(one), {});
  ASSERT_TRUE(outcomes);
  EXPECT_EQ(outcomes->front().exit_code, 5);
  EXPECT_EQ(recorder_.all<model::RunFinished>().size(), 1U);
}

TEST_F(DispatcherTest, ClosingCancelsWhatStillRuns) {
  FakeExecutor executor([](const model::JobSpec&) { return std::nullopt; });
  {
    Dispatcher dispatcher(*store_, executor, triggers_, recorder_, log_, {.slots = 1, .owner = "me"});
    ASSERT_TRUE(dispatcher.submit(submission({job("a"), job("b")})));
  }
  EXPECT_EQ(store_->find_run("/p", "latest")->outcome, Outcome::cancelled);
}

/// Another process, as far as concurrency groups go: a store and a dispatcher of its own, the same directory of groups.
class OtherProcess {
 public:
  OtherProcess(const std::filesystem::path& dir, const std::string& name, FakeExecutor::Answer answer)
      : store_(store::open_sqlite({dir / (name + ".db")}).value()),
        executor_(std::move(answer)),
        dispatcher_(*store_, executor_, triggers_, recorder_, log_,
                    {.slots = 4, .owner = name, .groups_dir = dir / "groups"}) {}
  void begin(Submission submission) {
    end_ = std::async(std::launch::async, [this, one = std::move(submission)]() mutable {
      std::vector<Submission> all;
      all.push_back(std::move(one));
      return dispatcher_.run_to_end(std::move(all), {cancel.get_token(), {}})->front();
    });
  }
  bool has_ended() { return end_.wait_for(std::chrono::milliseconds(250)) == std::future_status::ready; }
  RunOutcome end() { return end_.get(); }
  bool has_started() { return !executor_.started().empty(); }
  void wait_for_start() {
    while (!has_started()) std::this_thread::yield();
  }
  std::stop_source cancel;

 private:
  std::unique_ptr<store::Store> store_;
  Silent log_;
  Recorder recorder_;
  JsonTriggerReader triggers_{{}};
  FakeExecutor executor_;
  Dispatcher dispatcher_;
  std::future<RunOutcome> end_;
};

const FakeExecutor::Answer kRunsOn = [](const model::JobSpec&) { return std::optional<AttemptReport>(); };
using Policy = model::Concurrency::Policy;

TEST_F(DispatcherTest, AGroupHoldsBetweenProcesses) {
  OtherProcess first(dir_.path(), "first", kRunsOn);
  OtherProcess second(dir_.path(), "second", kSucceeds);
  first.begin(in_group(Policy::queue));
  first.wait_for_start();
  second.begin(in_group(Policy::queue));
  EXPECT_FALSE(second.has_ended());
  EXPECT_FALSE(second.has_started());
  first.cancel.request_stop();
  EXPECT_EQ(first.end().outcome, Outcome::cancelled);
  EXPECT_EQ(second.end().outcome, Outcome::succeeded);
}

TEST_F(DispatcherTest, ANewerProcessCancelsTheOneInsideAndThoseThatWait) {
  OtherProcess inside(dir_.path(), "inside", kRunsOn);
  OtherProcess waits(dir_.path(), "waits", kSucceeds);
  OtherProcess newer(dir_.path(), "newer", kRunsOn);
  OtherProcess newest(dir_.path(), "newest", kSucceeds);
  inside.begin(in_group(Policy::queue));
  inside.wait_for_start();
  waits.begin(in_group(Policy::queue));
  EXPECT_FALSE(waits.has_ended());
  newer.begin(in_group(Policy::latest));
  const RunOutcome displaced = waits.end();
  EXPECT_EQ(displaced.outcome, Outcome::cancelled);
  EXPECT_EQ(displaced.reason, "job `a` was cancelled: a newer one waits for concurrency group `g`");
  EXPECT_FALSE(newer.has_started());
  inside.cancel.request_stop();
  EXPECT_EQ(inside.end().outcome, Outcome::cancelled);
  newer.wait_for_start();
  newest.begin(in_group(Policy::cancel_running));
  EXPECT_EQ(newest.end().outcome, Outcome::succeeded);
  const RunOutcome superseded = newer.end();
  EXPECT_EQ(superseded.outcome, Outcome::cancelled);
  EXPECT_EQ(superseded.reason, "job `a` was cancelled: a newer one takes concurrency group `g`");
}

TEST_F(DispatcherTest, AStrangersRunCancelsNobodyElses) {
  OtherProcess ours(dir_.path(), "ours", kRunsOn);
  OtherProcess forks(dir_.path(), "forks", kSucceeds);
  ours.begin(in_group(Policy::cancel_running));
  ours.wait_for_start();
  forks.begin(in_group(Policy::cancel_running, {.source_trust = model::Trust::untrusted}));
  EXPECT_EQ(forks.end().outcome, Outcome::succeeded);
  EXPECT_FALSE(ours.has_ended());
  ours.cancel.request_stop();
  EXPECT_EQ(ours.end().outcome, Outcome::cancelled);
}

TEST_F(DispatcherTest, WhoWaitsForAnotherProcessCanBeCancelled) {
  OtherProcess first(dir_.path(), "first", kRunsOn);
  OtherProcess second(dir_.path(), "second", kSucceeds);
  first.begin(in_group(Policy::queue));
  first.wait_for_start();
  second.begin(in_group(Policy::queue));
  EXPECT_FALSE(second.has_ended());
  second.cancel.request_stop();
  EXPECT_EQ(second.end().outcome, Outcome::cancelled);
  EXPECT_FALSE(second.has_started());
  first.cancel.request_stop();
  first.end();
}

}  // namespace
}  // namespace slipway::engine
