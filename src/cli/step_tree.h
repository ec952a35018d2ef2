#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "cli/attempt_notes.h"
#include "cli/history.h"
#include "cli/terminal_text.h"

namespace slipway::cli {

/// A step as it is shown, of an attempt that has ended or runs. Points into what it was made of.
struct ShownStep {
  std::uint16_t number = 0;  ///< in the journal
  std::string_view name;
  Time started{};                             ///< zero: it never came to that
  std::optional<std::size_t> parent = {};     ///< place in this list of the step that asked for it
  const model::StepResult* result = nullptr;  ///< null: it runs
  std::size_t depth = 0;                      ///< 0: a step of the job; 1: below one of those, ...
  std::string_view reason = {};               ///< why it did not succeed, or was skipped; where the notes tell
  bool failure_allowed = false;               ///< it failed, and that spread no further
  bool abandoned = false;                     ///< it ran when whoever drove it died
};

Mark mark_of(const ShownStep& step);
/// `exit 3`, `running`, `skipped: nothing failed`; empty where the mark says it all.
std::string end_text(const ShownStep& step);

/// In the order in which they began, each with those below it right behind it. By number, hooks and plugins stand
/// behind the job's own steps, and child steps last.
std::vector<ShownStep> steps_in_order(const std::vector<model::StepResult>& steps);
std::vector<ShownStep> steps_in_order(const AttemptNotes& notes);
/// Of an attempt that has ended by its report, which the notes add to; else by its notes.
std::vector<ShownStep> steps_in_order(const AttemptEntry& attempt, const AttemptNotes& notes);

}  // namespace slipway::cli
