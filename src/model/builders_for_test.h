#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "model/plan.h"
#include "model/transitions.h"

/// Definitions with named defaults, for tests of the model.
namespace slipway::model {

inline constexpr Time kStart{std::chrono::seconds(1'000'000)};

inline ExpressionPtr call(const std::string& function) {
  return std::make_shared<const Expression>(Expression{Call{function, {}}, {}, function});
}
inline ExpressionPtr name(std::vector<std::string> path) {
  return std::make_shared<const Expression>(Expression{Name{std::move(path)}, {}, "name"});
}
inline ExpressionPtr literal(Value value) {
  return std::make_shared<const Expression>(Expression{Literal{std::move(value)}, {}, "literal"});
}
inline ExpressionPtr equals(ExpressionPtr left, ExpressionPtr right) {
  return std::make_shared<const Expression>(
      Expression{Binary{BinaryOperator::equal, std::move(left), std::move(right)}, {}, "a == b"});
}
inline Template hole(std::vector<std::string> path) { return {{{"", name(std::move(path))}}, {}}; }
inline Value text(std::string value) { return Value{std::move(value)}; }

inline JobDefinition job(std::string job_name, std::vector<std::string> depends_on = {},
                         ExpressionPtr condition = nullptr) {
  JobDefinition made;
  made.name = std::move(job_name);
  made.depends_on = std::move(depends_on);
  made.condition = std::move(condition);
  StepDefinition step;
  step.name = "main";
  step.action = Script{"true"};
  made.steps = {step};
  return made;
}

inline JobDefinition matrix_job(std::string job_name, std::vector<Value> values, std::optional<int> max_parallel = {},
                                bool fail_fast = true) {
  JobDefinition made = job(std::move(job_name));
  made.matrix = Matrix{.axes = {{"x", std::move(values)}}, .max_parallel = max_parallel, .fail_fast = fail_fast};
  return made;
}

inline Workflow workflow(std::vector<JobDefinition> jobs) {
  Workflow made;
  made.name = "ci";
  made.jobs = std::move(jobs);
  return made;
}

inline Result<Run> planned(Workflow definition, RunOptions options = {},
                           Event event = {.kind = EventKind::push, .branch = "main"}) {
  return plan({.id = RunId("r"),
               .workflow = std::make_shared<const Workflow>(std::move(definition)),
               .event = std::move(event),
               .options = std::move(options),
               .now = kStart});
}

/// Plays executor and dispatcher: what is started, how it ends, what was told.
class Player {
 public:
  explicit Player(Run fresh) : run(std::move(fresh)) { feed(RunBegins{}); }
  explicit Player(std::vector<JobDefinition> jobs, RunOptions options = {})
      : Player(planned(workflow(std::move(jobs)), std::move(options)).value()) {}

  Changes feed(const RunEvent& event) {
    Changes changes = on_event(run, event, now);
    note(changes);
    return changes;
  }
  /// Starts all that may start.
  void start_all() {
    while (has_ready(run)) note(start_next(run, AttemptId("a" + std::to_string(++attempts)), now));
  }
  const AttemptId& attempt(const std::string& job_name) { return job_of(job_name).attempt; }
  const Job& job_of(const std::string& job_name) { return run.jobs.at(run.job_by_name.at(job_name)); }
  void end(const std::string& job_name, Outcome outcome, std::map<std::string, std::string> outputs = {}) {
    feed(AttemptEnded{{.attempt = attempt(job_name), .outcome = outcome, .outputs = std::move(outputs)}, {}});
  }
  /// Starts and ends everything; a job's outcome by name, else succeeded.
  void play(const std::map<std::string, Outcome>& outcomes = {}) {
    for (start_all(); !run.job_by_attempt.empty(); start_all()) {
      const std::string job_name = run.jobs[run.job_by_attempt.begin()->second].name;
      const auto at = outcomes.find(job_name);
      end(job_name, at == outcomes.end() ? Outcome::succeeded : at->second);
    }
  }
  Outcome outcome(const std::string& job_name) { return job_of(job_name).outcome; }
  template <class N>
  std::vector<N> told() const {
    std::vector<N> found;
    for (const Notice& notice : notices) {
      if (const auto* wanted = std::get_if<N>(&notice)) found.push_back(*wanted);
    }
    return found;
  }

  Run run;
  Time now = kStart;
  int attempts = 0;
  std::vector<std::string> started;
  std::vector<StopAttempt> stops;
  std::vector<Notice> notices;
  std::vector<JobSpec> specs;

 private:
  void note(const Changes& changes) {
    for (const Effect& effect : changes.effects) {
      if (const auto* start = std::get_if<StartAttempt>(&effect)) {
        started.push_back(start->spec.job);
        specs.push_back(start->spec);
      }
      if (const auto* stop = std::get_if<StopAttempt>(&effect)) stops.push_back(*stop);
      if (const auto* notify = std::get_if<Notify>(&effect)) notices.push_back(notify->notice);
    }
  }
};

}  // namespace slipway::model
