#include "model/step_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "model/wording.h"

namespace slipway::model {

namespace {

/// Of its own phase: those of the phases before it, it waits for in any case.
std::vector<std::size_t> all_before(const std::vector<StepSpec>& steps, std::size_t index) {
  const Phase phase = steps[index].phase;
  std::size_t first = index;
  if (steps[index].parallel) {
    while (first > 0 && steps[first - 1].parallel && steps[first - 1].phase == phase) --first;
  }
  std::vector<std::size_t> before;
  for (std::size_t i = 0; i < first; ++i) {
    if (steps[i].phase == phase) before.push_back(i);
  }
  return before;
}

bool is_failure(Outcome outcome) { return ending_of(outcome) == Ending::failed; }

}  // namespace

StepPlan::StepPlan(const std::vector<StepSpec>& steps) {
  steps_.reserve(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const StepSpec& spec = steps[i];
    Step step;
    step.name = spec.name;
    step.condition = spec.condition;
    step.by_order = !spec.depends_on.has_value();
    step.phase = spec.phase;
    step.waits_for = spec.depends_on ? *spec.depends_on : all_before(steps, i);
    for (std::size_t other = 0; other < steps.size(); ++other) {
      if (steps[other].phase < spec.phase) step.waits_for.push_back(other);
    }
    step.continue_on_error = spec.continue_on_error;
    step.done_before = spec.done_before;
    step.retry = spec.retry;
    steps_.push_back(std::move(step));
  }
}

bool StepPlan::is_ready(const Step& step) const {
  return std::ranges::all_of(step.waits_for, [this](std::size_t before) {
    return before < steps_.size() && steps_[before].state == Step::State::ended;
  });
}

Ending StepPlan::ending_seen(const Step& step) const {
  if (step.done_before) return Ending::succeeded;
  const Ending ending = ending_of(step.outcome);
  return ending == Ending::failed && step.continue_on_error ? Ending::succeeded : ending;
}

StepPlan::Judgement StepPlan::judge_hook(const Step& step) const {
  const auto failed = std::ranges::find_if(failures_, [&](std::size_t index) {
    // Behind the steps a failure of theirs says nothing against the hook; one before them means that they never began.
    return step.phase != Phase::post_container || steps_[index].phase < Phase::steps;
  });
  const bool fails = failed != failures_.end();
  if (step.phase == Phase::cleanup) return {true, {}};
  if (step.phase == Phase::on_error) {
    if (fails || cancelled_) return {true, {}};
    return {false, "nothing failed"};
  }
  if (cancelled_) return {false, "the job is being cancelled"};
  if (fails) return {false, fmt::format("step `{}` {}", steps_[*failed].name, past_tense(steps_[*failed].outcome))};
  return {true, {}};
}

StepPlan::Judgement StepPlan::judge(const Step& step) const {
  if (step.done_before) return {false, "it was done in the run before"};
  if (step.phase != Phase::steps) return judge_hook(step);
  if (cancelled_ && !(step.condition && may_hold_when_cancelled(*step.condition))) {
    return {false, "the job is being cancelled"};
  }
  Scope scope;
  scope.cancelled = cancelled_;
  Scope with_skipped = scope;
  const Step* blocker = nullptr;
  for (const std::size_t before : step.waits_for) {
    const Step& earlier = steps_[before];
    const Ending ending = ending_seen(earlier);
    const std::string key = earlier.name.empty() ? fmt::format("#{}", before + 1) : earlier.name;
    with_skipped.endings[key] = ending;
    // What only stands earlier and was not wanted is nobody's failure; what is depended on by name is missed.
    if (ending == Ending::skipped && step.by_order) continue;
    scope.endings[key] = ending;
    if (ending != Ending::succeeded && (blocker == nullptr || ending == Ending::failed)) blocker = &earlier;
  }
  const bool asks_status = step.condition && calls_status_function(*step.condition);
  if (!asks_status && blocker != nullptr) {
    return {false, fmt::format("step `{}` {}", blocker->name, past_tense(blocker->outcome))};
  }
  if (!step.condition) return {true, {}};
  Trace trace;
  Result<bool> wanted = holds(*step.condition, scope, trace);
  if (!wanted) wanted = holds(*step.condition, with_skipped, trace);  // it asks for a skipped step by name
  if (!wanted) return {false, "its condition cannot be decided: " + wanted.error().what};
  if (*wanted) return {true, {}};
  return {false, fmt::format("its condition `{}` does not hold", step.condition->text)};
}

void StepPlan::skip(std::size_t index, std::string reason, Decisions& decisions) {
  steps_[index].state = Step::State::ended;
  steps_[index].outcome = Outcome::skipped;
  decisions.skipped.push_back({index, std::move(reason)});
}

StepPlan::Decisions StepPlan::next(Time now) {
  Decisions decisions;
  // A skip may decide those behind it, so go round until nothing changes; each round decides at least one step.
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      Step& step = steps_[i];
      if (step.state != Step::State::waiting || !is_ready(step)) continue;
      changed = true;
      if (Judgement judgement = judge(step); judgement.run) {
        step.state = Step::State::running;
        step.tries = 1;
        decisions.start.push_back(i);
      } else {
        skip(i, std::move(judgement.reason), decisions);
      }
    }
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    if (step.state != Step::State::backing_off) continue;
    if (step.retry_at <= now) {
      step.state = Step::State::running;
      ++step.tries;
      decisions.start.push_back(i);
    } else if (!decisions.wake_at || step.retry_at < *decisions.wake_at) {
      decisions.wake_at = step.retry_at;
    }
  }
  skip_unreachable(decisions);
  return decisions;
}

void StepPlan::skip_unreachable(Decisions& decisions) {
  const bool moving = std::ranges::any_of(steps_, [](const Step& step) {
    return step.state == Step::State::running || step.state == Step::State::backing_off;
  });
  if (moving) return;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].state == Step::State::waiting) skip(i, "it waits for itself by its depends_on", decisions);
  }
}

StepPlan::After StepPlan::would_end(std::size_t index, Outcome outcome) const {
  const Step& step = steps_[index];
  const bool again = !cancelled_ && step.tries <= step.retry.attempts &&
                     std::ranges::find(step.retry.on, outcome) != step.retry.on.end();
  return again ? After::will_retry : After::ended;
}

StepPlan::After StepPlan::finished(std::size_t index, Outcome outcome, Time now) {
  Step& step = steps_[index];
  if (step.state != Step::State::running) return After::ended;
  step.outcome = outcome;
  if (would_end(index, outcome) == After::will_retry) {
    step.state = Step::State::backing_off;
    step.retry_at = now + backoff_after(step.retry, step.tries);
    return After::will_retry;
  }
  step.state = Step::State::ended;
  if (is_failure(outcome) && !step.continue_on_error) failures_.push_back(index);
  return After::ended;
}

void StepPlan::cancel() {
  cancelled_ = true;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    if (step.state != Step::State::backing_off) continue;
    step.state = Step::State::ended;
    if (is_failure(step.outcome) && !step.continue_on_error) failures_.push_back(i);
  }
}

bool StepPlan::is_done() const {
  return std::ranges::all_of(steps_, [](const Step& step) { return step.state == Step::State::ended; });
}

bool StepPlan::has_last_words() const {
  return std::ranges::any_of(steps_, [](const Step& step) {
    return step.state == Step::State::waiting && (step.phase == Phase::on_error || step.phase == Phase::cleanup);
  });
}

StepPlan::Verdict StepPlan::verdict() const {
  if (!failures_.empty()) return {steps_[failures_.front()].outcome, failures_.front()};
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].outcome == Outcome::cancelled) return {Outcome::cancelled, i};
  }
  return {};
}

}  // namespace slipway::model
