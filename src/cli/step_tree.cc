#include "cli/step_tree.h"

#include <algorithm>
#include <map>

namespace slipway::cli {

namespace {

// `steps` by number, the parents still numbers.
class Nesting {
 public:
  explicit Nesting(std::vector<ShownStep> steps) : steps_(std::move(steps)) {
    std::map<std::size_t, std::size_t> place_of;
    for (std::size_t place = 0; place < steps_.size(); ++place) place_of[steps_[place].number] = place;
    for (std::size_t place = 0; place < steps_.size(); ++place) {
      const std::optional<std::size_t>& parent = steps_[place].parent;
      // A child's number is above its parent's, so there is no circle.
      const bool is_below = parent && *parent < steps_[place].number && place_of.contains(*parent);
      below_[is_below ? std::optional(place_of.at(*parent)) : std::nullopt].push_back(place);
    }
    for (auto& [parent, places] : below_) {
      std::ranges::stable_sort(places, {}, [this](std::size_t place) {
        return steps_[place].started == Time{} ? Time::max() : steps_[place].started;
      });
    }
  }

  std::vector<ShownStep> in_order() {
    append_below({}, {}, 0);
    return std::move(made_);
  }

 private:
  void append_below(std::optional<std::size_t> place, std::optional<std::size_t> parent, std::size_t depth) {
    const auto found = below_.find(place);
    if (found == below_.end()) return;
    for (const std::size_t below : found->second) {
      made_.push_back(steps_[below]);
      made_.back().parent = parent;
      made_.back().depth = depth;
      append_below(below, made_.size() - 1, depth + 1);
    }
  }

  std::vector<ShownStep> steps_, made_;
  std::map<std::optional<std::size_t>, std::vector<std::size_t>> below_;  // places in `steps_`
};

void take_end(const StepNote& note, ShownStep& step) {
  step.reason = note.reason;
  step.failure_allowed = note.failure_allowed;
}

}  // namespace

Mark mark_of(const ShownStep& step) {
  if (step.result == nullptr) return step.abandoned ? Mark::cancelled : Mark::running;
  return step.failure_allowed ? Mark::allowed_failure : mark_of(step.result->outcome);
}

std::string end_text(const ShownStep& step) {
  if (step.result == nullptr) return step.abandoned ? "did not end" : "running";
  if (step.result->outcome == model::Outcome::skipped) {
    return step.reason.empty() ? "skipped" : fmt::format("skipped: {}", step.reason);
  }
  const std::string exit = exit_text(step.result->outcome, step.result->exit_code);
  return step.failure_allowed ? exit + " (allowed)" : exit;
}

std::vector<ShownStep> steps_in_order(const std::vector<model::StepResult>& steps) {
  std::vector<ShownStep> shown;
  shown.reserve(steps.size());
  for (const model::StepResult& step : steps) {
    shown.push_back({static_cast<std::uint16_t>(shown.size()), step.name, step.started, step.parent, &step});
  }
  return Nesting(std::move(shown)).in_order();
}

std::vector<ShownStep> steps_in_order(const AttemptEntry& attempt, const AttemptNotes& notes) {
  std::vector<ShownStep> shown = attempt.outcome ? steps_in_order(attempt.steps) : steps_in_order(notes);
  for (ShownStep& step : shown) {
    const auto noted = notes.steps.find(step.number);
    if (noted != notes.steps.end()) take_end(noted->second, step);
    step.abandoned = step.result == nullptr && attempt.abandoned;
  }
  return shown;
}

std::vector<ShownStep> steps_in_order(const AttemptNotes& notes) {
  std::vector<ShownStep> shown;
  for (const auto& [number, step] : notes.steps) {
    shown.push_back({number, step.name, step.started, step.parent, step.result ? &*step.result : nullptr});
    take_end(step, shown.back());
  }
  return Nesting(std::move(shown)).in_order();
}

}  // namespace slipway::cli
