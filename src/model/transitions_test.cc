#include "model/transitions.h"

#include <gtest/gtest.h>

#include "model/builders_for_test.h"

namespace slipway::model {
namespace {

using std::chrono::seconds;

TEST(ForEach, OverOutputsMayNameItsItemInTheEnvironment) {
  JobDefinition each = job("each", {"maker"}, equals(name({"branch"}), literal(text("main"))));
  each.for_each = ForEach{.in = name({"outputs", "maker", "list"})};
  each.env = {{"L", hole({"item"})}};
  Player player({job("maker"), each});
  player.start_all();
  player.end("maker", Outcome::succeeded, {{"list", "[\"a\", \"b\"]"}});
  player.play();
  EXPECT_EQ(player.outcome("each (a)"), Outcome::succeeded);
  EXPECT_EQ(player.outcome("each (b)"), Outcome::succeeded);
}

TEST(ForEach, MayNumberItsJobs) {
  JobDefinition each = job("each");
  each.for_each = ForEach{.in = std::vector<Value>{{std::string("eu")}, {std::string("us")}}};
  each.for_each->numbered = true;
  Player player({each, job("after", {"each"})});
  player.play();
  EXPECT_EQ(player.outcome("each[0]"), Outcome::succeeded);
  EXPECT_EQ(player.outcome("each[1]"), Outcome::succeeded);
  EXPECT_EQ(player.outcome("after"), Outcome::succeeded);
}

TEST(Vars, HaveOneValueWhoeverSetsThem) {
  JobDefinition asks = job("asks", {"a"});
  asks.env = {{"ALL", hole({"vars"})}};
  Player player({job("a"), job("b"), job("c"), asks});
  player.start_all();
  const auto set = [&](const std::string& name, const std::string& value) {
    player.feed(AttemptEnded{{.attempt = player.attempt(name),
                              .outcome = Outcome::succeeded,
                              .outputs = {{"o", "1"}},
                              .vars = {{"v", value}}},
                             {}});
  };
  set("a", "x\"y");
  set("b", "x\"y");
  set("c", "other");
  EXPECT_EQ(player.outcome("b"), Outcome::succeeded);  // the same again
  EXPECT_EQ(player.outcome("c"), Outcome::failed);
  EXPECT_EQ(player.job_of("c").reason, "the variable v of the workflow has another value already");
  const auto spec = resolve(player.run, player.run.job_by_name.at("asks"), AttemptId("x"), 1, Purpose::execute);
  ASSERT_TRUE(spec) << spec.error().what;
  EXPECT_EQ(spec->env, (Variables{{"ALL", R"({"a.o":"1","v":"x\"y"})"}}));
  player.play();
  EXPECT_EQ(player.run.outcome, Outcome::failed);
}

TEST(Run, StartsWhatDependsOnNothingAndThenWhatBecameFree) {
  Player player({job("a"), job("b", {"a"}), job("c")});
  player.start_all();
  EXPECT_EQ(player.started, (std::vector<std::string>{"a", "c"}));
  player.end("a", Outcome::succeeded);
  player.start_all();
  EXPECT_EQ(player.started.back(), "b");
  player.play();
  EXPECT_EQ(player.run.state, RunState::finished);
  EXPECT_EQ(player.run.exit_code, 0);
}

struct ConditionCase {
  const char* what;
  ExpressionPtr condition;
  Outcome dependency;
  Outcome expected;
};

TEST(Conditions, FollowRuleSix) {
  const auto main = equals(name({"branch"}), literal(text("main")));
  const auto dev = equals(name({"branch"}), literal(text("dev")));
  const std::vector<ConditionCase> cases = {
      {"none, success", nullptr, Outcome::succeeded, Outcome::succeeded},
      {"none, failure", nullptr, Outcome::failed, Outcome::skipped},
      {"none, timeout", nullptr, Outcome::timed_out, Outcome::skipped},
      {"none, cancelled", nullptr, Outcome::cancelled, Outcome::skipped},
      {"holds, success", main, Outcome::succeeded, Outcome::succeeded},
      {"holds, failure: and-ed with all_success", main, Outcome::failed, Outcome::skipped},
      {"does not hold", dev, Outcome::succeeded, Outcome::skipped},
      {"any_failed, failure", call("any_failed"), Outcome::failed, Outcome::succeeded},
      {"any_failed, out of memory", call("any_failed"), Outcome::out_of_memory, Outcome::succeeded},
      {"any_failed, success", call("any_failed"), Outcome::succeeded, Outcome::skipped},
      {"any_failed, cancelled is not failed", call("any_failed"), Outcome::cancelled, Outcome::skipped},
      {"always, failure", call("always"), Outcome::failed, Outcome::succeeded},
      {"wrong type", name({"branch"}), Outcome::succeeded, Outcome::rejected},
      {"unknown name", equals(name({"nothing"}), literal(text("x"))), Outcome::succeeded, Outcome::rejected},
  };
  for (const ConditionCase& c : cases) {
    Player player({job("a"), job("b", {"a"}, c.condition)});
    player.play({{"a", c.dependency}});
    EXPECT_EQ(player.outcome("b"), c.expected) << c.what;
  }
}

TEST(Conditions, ASkippedDependencyIsNoSuccess) {
  Player player({job("a", {}, equals(name({"branch"}), literal(text("dev")))), job("b", {"a"}),
                 job("c", {"b"}, call("any_failed"))});
  player.play();
  EXPECT_EQ(player.outcome("b"), Outcome::skipped);
  EXPECT_EQ(player.outcome("c"), Outcome::skipped);
  EXPECT_EQ(player.run.exit_code, 0);
}

TEST(Run, AnAllowedFailureDoesNotSpread) {
  JobDefinition a = job("a");
  a.continue_on_error = true;
  Player player({a, job("b", {"a"})});
  player.play({{"a", Outcome::failed}});
  EXPECT_EQ(player.outcome("a"), Outcome::failed);
  EXPECT_EQ(player.outcome("b"), Outcome::succeeded);
  EXPECT_EQ(player.run.exit_code, 0);
  EXPECT_TRUE(player.told<JobFinished>().at(0).failure_allowed);
}

TEST(Run, ExitCodeIsOfTheFirstThatCounts) {
  const std::vector<Outcome> order = {Outcome::rejected,  Outcome::infra_failed, Outcome::failed,
                                      Outcome::timed_out, Outcome::cancelled,    Outcome::succeeded};
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    JobDefinition a = job("a"), b = job("b");
    a.retry = b.retry = Retry{.attempts = 0};
    Player player({a, b});
    player.play({{"a", order[i + 1]}, {"b", order[i]}});
    EXPECT_EQ(player.run.outcome, order[i]);
    EXPECT_EQ(player.run.exit_code, exit_code_of(order[i]));
  }
}

TEST(Retry, BacksOffTwiceAsLongEachTime) {
  Player player({job("a")});
  player.start_all();
  player.end("a", Outcome::infra_failed);
  EXPECT_EQ(player.job_of("a").retry_at, kStart + seconds(1));
  EXPECT_FALSE(has_ready(player.run));
  player.now = kStart + seconds(1);
  player.feed(Tick{});
  player.start_all();
  player.end("a", Outcome::infra_failed);
  EXPECT_EQ(player.job_of("a").retry_at, kStart + seconds(3));
  player.now = kStart + seconds(3);
  player.feed(Tick{});
  player.start_all();
  player.end("a", Outcome::infra_failed);
  EXPECT_EQ(player.outcome("a"), Outcome::infra_failed);
  EXPECT_EQ(player.job_of("a").attempts, 3);
  EXPECT_EQ(player.specs.back().attempt_number, 3);
}

TEST(Retry, DoesNotRepeatWhatTheAuthorBroke) {
  Player player({job("a")});
  player.play({{"a", Outcome::failed}});
  EXPECT_EQ(player.job_of("a").attempts, 1);
}

TEST(Attempt, AnOldReportIsFencedOff) {
  Player player({job("a")});
  player.start_all();
  const AttemptId old = player.attempt("a");
  player.end("a", Outcome::infra_failed);
  player.now += seconds(1);
  player.feed(Tick{});
  player.start_all();
  const Changes late = player.feed(AttemptEnded{{.attempt = old, .outcome = Outcome::succeeded}, {}});
  EXPECT_TRUE(late.effects.empty() && late.changed.empty());
  EXPECT_EQ(player.job_of("a").state, JobState::starting);
  player.feed(AttemptRuns{old, "x"});
  EXPECT_EQ(player.job_of("a").state, JobState::starting);
}

TEST(Run, AFinishedRunIgnoresEverything) {
  Player player({job("a")});
  player.play();
  const AttemptId attempt = player.attempt("a");
  for (const RunEvent& event :
       {RunEvent{RunBegins{}}, RunEvent{RunRefused{}}, RunEvent{AttemptRuns{attempt, "x"}},
        RunEvent{AttemptEnded{{.attempt = attempt}, {}}}, RunEvent{TriggerRequested{attempt, "{}", {}}},
        RunEvent{CancelRequested{}}, RunEvent{GroupEntered{0}}, RunEvent{GroupRefused{}},
        RunEvent{JobSuperseded{0, ""}}, RunEvent{Tick{}}}) {
    const Changes changes = player.feed(event);
    EXPECT_TRUE(changes.effects.empty() && changes.changed.empty() && !changes.run_changed) << event.index();
  }
}

TEST(Matrix, RunsAtMostMaxParallelInstances) {
  Player player({matrix_job("t", {text("1"), text("2"), text("3")}, 2)});
  player.start_all();
  EXPECT_EQ(player.started, (std::vector<std::string>{"t (1)", "t (2)"}));
  player.end("t (1)", Outcome::succeeded);
  player.start_all();
  EXPECT_EQ(player.started.back(), "t (3)");
}

TEST(Matrix, FailFastStopsAndCancelsTheOthers) {
  Player player({matrix_job("t", {text("1"), text("2"), text("3")}, 2), job("after", {"t"}, call("always"))});
  player.start_all();
  player.end("t (1)", Outcome::failed);
  ASSERT_EQ(player.stops.size(), 1U);
  EXPECT_EQ(player.stops[0].why, StopWhy::fail_fast);
  EXPECT_EQ(player.outcome("t (3)"), Outcome::cancelled);
  player.end("t (2)", Outcome::cancelled);
  player.play();
  EXPECT_EQ(player.outcome("after"), Outcome::succeeded);
  EXPECT_EQ(player.run.exit_code, 1);
}

TEST(Matrix, WithoutFailFastTheOthersGoOn) {
  Player player({matrix_job("t", {text("1"), text("2")}, {}, false)});
  player.play({{"t (1)", Outcome::failed}});
  EXPECT_EQ(player.outcome("t (2)"), Outcome::succeeded);
}

TEST(Run, MaxParallelBoundsTheWholeRun) {
  Player player({job("a"), job("b"), job("c")}, {.max_parallel = 2});
  player.start_all();
  EXPECT_EQ(player.started.size(), 2U);
  player.end("a", Outcome::succeeded);
  player.start_all();
  EXPECT_EQ(player.started.size(), 3U);
}

TEST(Cancel, StopsWhatRunsAndLetsAlwaysJobsFollow) {
  Player player(
      {job("a"), job("b", {"a"}), job("tidy", {"a"}, call("always")), job("failed", {"a"}, call("any_failed"))});
  player.start_all();
  player.feed(CancelRequested{StopWhy::by_user, Promptness::graceful, "enough"});
  player.feed(CancelRequested{});
  ASSERT_EQ(player.stops.size(), 1U);
  player.end("a", Outcome::cancelled);
  player.play();
  EXPECT_EQ(player.outcome("b"), Outcome::cancelled);
  EXPECT_EQ(player.job_of("b").reason, "enough");
  EXPECT_EQ(player.outcome("failed"), Outcome::cancelled);
  EXPECT_EQ(player.outcome("tidy"), Outcome::succeeded);
  EXPECT_EQ(player.run.exit_code, 3);
}

TEST(Cancel, AtOnceLeavesNothing) {
  Player player({job("a"), job("tidy", {"a"}, call("always")), job("more", {"tidy"})});
  player.start_all();
  player.feed(CancelRequested{});
  player.feed(CancelRequested{StopWhy::by_user, Promptness::at_once, ""});
  EXPECT_EQ(player.stops.back().promptness, Promptness::at_once);
  EXPECT_EQ(player.outcome("tidy"), Outcome::cancelled);
  player.end("a", Outcome::cancelled);
  EXPECT_EQ(player.run.state, RunState::finished);
}

TEST(Cancel, TheGraceOfAlwaysJobsEnds) {
  Player player({job("a", {}, call("always"))}, {.cancel_grace = seconds(10)});
  player.start_all();
  player.feed(CancelRequested{});
  EXPECT_TRUE(player.stops.empty());
  player.now = kStart + seconds(10);
  player.feed(Tick{});
  ASSERT_EQ(player.stops.size(), 1U);
  EXPECT_EQ(player.stops[0].promptness, Promptness::at_once);
}

TEST(Cancel, WhoIsStoppedIsCancelledEvenWhenItWasLost) {
  Player player({job("a")});
  player.start_all();
  player.feed(CancelRequested{});
  player.end("a", Outcome::infra_failed);
  EXPECT_EQ(player.outcome("a"), Outcome::cancelled);
}

TEST(Cancel, WhatEndedBeforeTheStopArrivedCounts) {
  Player player({job("a")});
  player.start_all();
  player.feed(CancelRequested{});
  player.end("a", Outcome::failed);
  EXPECT_EQ(player.run.exit_code, 1);
}

TEST(Run, RefusedBeforeItBeganStartsNothing) {
  auto run = planned(workflow({job("a"), job("b", {"a"}, call("always"))})).value();
  const Changes changes = on_event(run, RunRefused{Outcome::rejected, "full"}, kStart);
  EXPECT_EQ(run.state, RunState::finished);
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.jobs[1].outcome, Outcome::rejected);
}

TEST(ForEach, OverOutputsGetsItsInstancesWhenTheyAreKnown) {
  JobDefinition deploy = job("deploy", {"list"});
  deploy.for_each = ForEach{.in = name({"outputs", "list", "regions"}), .as = "REGION"};
  Player player({job("list"), deploy, job("after", {"deploy"})});
  EXPECT_FALSE(player.run.job_by_name.contains("deploy (eu)"));
  player.start_all();
  player.end("list", Outcome::succeeded, {{"regions", R"(["eu", "u\"s", 3])"}});
  player.play();
  EXPECT_EQ(player.told<JobsAdded>().at(0).jobs,
            (std::vector<std::string>{"deploy (eu)", "deploy (u\"s)", "deploy (3)"}));
  EXPECT_EQ(player.outcome("after"), Outcome::succeeded);
}

TEST(ForEach, ThatCannotBeExpandedIsRejectedOrSkippedUnderItsOwnName) {
  for (const auto& [outcome, value, expected] :
       std::vector<std::tuple<Outcome, std::string, Outcome>>{{Outcome::failed, "[]", Outcome::skipped},
                                                              {Outcome::succeeded, "[1,", Outcome::rejected},
                                                              {Outcome::succeeded, "[{}]", Outcome::rejected}}) {
    JobDefinition deploy = job("deploy", {"list"});
    deploy.for_each = ForEach{.in = name({"outputs", "list", "regions"})};
    Player player({job("list"), deploy});
    player.start_all();
    player.end("list", outcome, {{"regions", value}});
    EXPECT_EQ(player.outcome("deploy"), expected);
    EXPECT_EQ(player.run.state, RunState::finished);
  }
}

TEST(ForEach, OfNothingIsSkipped) {
  JobDefinition deploy = job("deploy");
  deploy.for_each = ForEach{.in = std::vector<Value>{}};
  Player player({deploy, job("after", {"deploy"})});
  EXPECT_EQ(player.outcome("after"), Outcome::skipped);
  EXPECT_EQ(player.run.state, RunState::finished);
}

TEST(Templates, ThatCannotBeExpandedRejectTheJob) {
  JobDefinition broken = job("a");
  broken.env = {{"X", hole({"nothing"})}};
  Player player({broken, job("b")});
  player.play();
  EXPECT_EQ(player.outcome("a"), Outcome::rejected);
  EXPECT_EQ(player.outcome("b"), Outcome::succeeded);
  EXPECT_EQ(player.run.exit_code, 2);
}

TEST(Concurrency, OfAJobIsAskedForAndGivenBack) {
  JobDefinition one = job("a");
  one.concurrency = Concurrency{Template::of("g"), Concurrency::Policy::queue};
  auto run = planned(workflow({one})).value();
  const Changes begun = on_event(run, RunBegins{}, kStart);
  EXPECT_TRUE(std::holds_alternative<EnterGroup>(begun.effects.back()));
  EXPECT_FALSE(has_ready(run));
  on_event(run, GroupEntered{0}, kStart);
  on_event(run, GroupEntered{0}, kStart);
  EXPECT_TRUE(has_ready(run));
  start_next(run, AttemptId("a1"), kStart);
  const Changes ended =
      on_event(run, AttemptEnded{{.attempt = AttemptId("a1"), .outcome = Outcome::succeeded}, {}}, kStart);
  EXPECT_TRUE(std::any_of(ended.effects.begin(), ended.effects.end(),
                          [](const Effect& e) { return std::holds_alternative<LeaveGroup>(e); }));
}

AskedJob asked(std::string job_name, std::vector<std::string> depends_on = {}) {
  auto definition = std::make_shared<JobDefinition>(job(job_name, std::move(depends_on)));
  return {job_name, definition, "", "{\"job_name\":\"" + job_name + "\"}"};
}

TEST(Trigger, JoinsTheRunWhenTriggersAreFollowed) {
  Player player({job("a"), job("b")}, {.follow_triggers = true});
  player.start_all();
  const Changes changes = player.feed(TriggerRequested{player.attempt("a"), "", {asked("more"), asked("b", {"more"})}});
  player.play();
  EXPECT_EQ(player.outcome("more"), Outcome::succeeded);
  EXPECT_EQ(player.outcome("b (2)"), Outcome::succeeded);
  EXPECT_LT(std::find(player.started.begin(), player.started.end(), "more"),
            std::find(player.started.begin(), player.started.end(), "b (2)"));
  std::vector<std::string> said;
  for (const Decision& decision : changes.decisions) {
    if (decision.what == "trigger") said.push_back(decision.job + " " + decision.because.front().outcome);
  }
  EXPECT_EQ(said, (std::vector<std::string>{"a joins the run as `more`", "a joins the run as `b (2)`"}));
}

TEST(Trigger, IsOnlyToldOtherwise) {
  Player player({job("a")});
  player.start_all();
  player.feed(TriggerRequested{player.attempt("a"), "", {asked("more"), {"x", nullptr, "no such job", "{}"}}});
  player.play();
  const auto told = player.told<Triggered>();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_FALSE(told[0].accepted);
  EXPECT_EQ(told[1].reason, "no such job");
  EXPECT_EQ(player.run.jobs.size(), 1U);
}

TEST(Trigger, RepeatedByTheReportOrByARetryCountsOnce) {
  Player player({job("a")}, {.follow_triggers = true});
  player.start_all();
  const TriggerRequested request{player.attempt("a"), "", {asked("more")}};
  player.feed(request);
  player.feed(AttemptEnded{{.attempt = player.attempt("a"), .outcome = Outcome::infra_failed}, {request}});
  player.now += seconds(1);
  player.feed(Tick{});
  player.start_all();
  const TriggerRequested again{player.attempt("a"), "", {asked("more")}};
  player.feed(AttemptEnded{{.attempt = player.attempt("a"), .outcome = Outcome::succeeded}, {again, again}});
  player.play();
  EXPECT_EQ(player.run.jobs.size(), 3U);  // the second of the last attempt is a new one
  EXPECT_TRUE(player.run.job_by_name.contains("more (2)"));
}

TEST(Trigger, WithAnUnknownDependencyIsRefused) {
  Player player({job("a")}, {.follow_triggers = true});
  player.start_all();
  player.feed(TriggerRequested{player.attempt("a"), "", {asked("more", {"nothing"})}});
  EXPECT_FALSE(player.told<Triggered>().at(0).accepted);
  player.play();
  EXPECT_EQ(player.run.state, RunState::finished);
}

TEST(Run, AChainOfTenThousandSkippedJobsEndsWithoutDeepRecursion) {
  std::vector<JobDefinition> jobs = {job("j0")};
  for (int i = 1; i < 10'000; ++i) jobs.push_back(job("j" + std::to_string(i), {"j" + std::to_string(i - 1)}));
  Player player(jobs);
  player.play({{"j0", Outcome::failed}});
  EXPECT_EQ(player.outcome("j9999"), Outcome::skipped);
  EXPECT_EQ(player.run.state, RunState::finished);
}

}  // namespace
}  // namespace slipway::model
