#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "init/step_runner.h"

/// Of StepRunner: what waits for a person.
namespace slipway::init {

bool StepRunner::breaks_at(wire::Breakpoint::When when, std::size_t index) const {
  return std::ranges::any_of(parts_.breaks, [&](const wire::Breakpoint& one) {
    const bool is_named = spec(index).phase == model::Phase::steps && one.step == spec(index).name;
    return one.when == when && (one.step.empty() || is_named);
  });
}

/// What is being stopped is not held, nor what will be tried again anyway.
bool StepRunner::breaks_after(std::size_t index, model::Outcome outcome) const {
  using When = wire::Breakpoint::When;
  if (is_child(index)) return false;  // that step knows best what to make of it
  if (kill_at_ != os::Deadline::max() || plan_.would_end(index, outcome) == model::StepPlan::After::will_retry) {
    return false;
  }
  if (breaks_at(When::after, index)) return true;
  const bool fails_job = model::ending_of(outcome) == model::Ending::failed && !spec(index).continue_on_error;
  return fails_job && breaks_at(When::on_failure, index);
}

void StepRunner::end_or_hold(std::size_t index, model::StepResult result, const CommandEnd& end) {
  if (end.not_started) parts_.records.notice(static_cast<std::uint16_t>(index), "not_started", end.reason);
  if (!breaks_after(index, result.outcome)) return record_end(index, std::move(result), end.reason);
  Hold held{end, std::move(result), end.outcome == model::Outcome::succeeded ? "it succeeded" : end.reason};
  hold(index, std::move(held));
}

void StepRunner::hold(std::size_t index, Hold held) {
  // Before hooks and plugins began, a person looks at what the first step would find.
  if (held.end || has_begun_ || spec(index).phase == model::Phase::steps) current_ = index;
  held.why = parts_.records.masked(held.why);
  const Hold& kept = held_[index] = std::move(held);
  parts_.records.notice(
      static_cast<std::uint16_t>(index), "held",
      fmt::format("held {} step `{}`: {}", kept.end ? "after" : "before", spec(index).name, kept.why));
  events_.held(index, kept);
}

bool StepRunner::can_retry() const {
  return std::ranges::any_of(held_, [](const auto& one) { return one.second.end.has_value(); });
}

void StepRunner::resume(wire::Resume how) {
  for (const auto& [index, held] : std::exchange(held_, {})) {
    if (how == wire::Resume::retry && held.end) {
      run_again(index, held);
    } else {
      let_go(index, held);
    }
  }
  advance();
}

void StepRunner::let_go(std::size_t index, const Hold& held) {
  if (held.end) return record_end(index, held.result, held.end->reason);
  let_begin_.insert(index);
  start_one(index);
}

void StepRunner::run_again(std::size_t index, const Hold& held) {
  write_end(index, held.result, held.end->reason, true);
  plan_.run_again(index);
  start_one(index);
}

}  // namespace slipway::init
