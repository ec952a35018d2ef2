#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/job_spec.h"

/// Which step of a job runs when. Pure: `slipway-init` feeds it what happened and does what it answers.
///
/// A step waits for those that `depends_on` names; without it, for every step before it, but those that stand with it
/// in one run of consecutive `parallel` steps. Once all of them have ended, it is decided, once: its condition (none:
/// all of them succeeded) says whether it runs or is skipped. An allowed failure (`continue_on_error`) counts as a
/// success. A step that was skipped by its own condition does not hold up those that merely come after it.
///
/// Steps of a phase (hooks) wait for all of the phases before theirs, and those of one phase for each other, in their
/// order. They have no conditions; when they run:
/// | phase | runs |
/// | --- | --- |
/// | up to `pre_container` | while nothing has failed |
/// | `post_container` | whatever became of the job's own steps, once they were reached; not when cancelled |
/// | `on_error` | when something failed, or the job is being cancelled |
/// | `cleanup` | always |
namespace slipway::model {

class StepPlan {
 public:
  struct Skipped {
    std::size_t step = 0;
    std::string reason;
  };
  /// What is to be done now. Everything in it counts as done from then on.
  struct Decisions {
    std::vector<std::size_t> start;
    std::vector<Skipped> skipped;
    std::optional<Time> wake_at;  ///< ask again then: a retry's backoff ends
  };
  enum class After { ended, will_retry };
  /// The end of the job, as its steps make it: of several failures the first decides.
  struct Verdict {
    Outcome outcome = Outcome::succeeded;
    std::optional<std::size_t> step;  ///< the one that decided
  };

  /// Conditions hold status functions only (StepSpec). The specs are copied as far as they are needed.
  explicit StepPlan(const std::vector<StepSpec>& steps);

  /// `now`: any clock, as long as it is the same in every call.
  Decisions next(Time now);

  /// A step that `next` started has ended (this try of it).
  After finished(std::size_t step, Outcome outcome, Time now);

  /// What `finished` would answer.
  After would_end(std::size_t step, Outcome outcome) const;
  /// A step that has ended, though nobody said so yet, runs once more, whatever its retries.
  void run_again(std::size_t step) { ++steps_[step].tries; }

  /// No further tries; steps that have not begun run only where their condition holds when cancelled.
  void cancel();

  bool is_done() const;
  bool is_cancelled() const { return cancelled_; }
  bool has_ended(std::size_t step) const { return steps_[step].state == Step::State::ended; }
  /// Does the end of the job bring about steps that have not run, now that it is cancelled?
  bool has_last_words() const;
  int tries(std::size_t step) const { return steps_[step].tries; }
  Verdict verdict() const;

 private:
  struct Step {
    std::string name;
    Phase phase = Phase::steps;
    ExpressionPtr condition;
    std::vector<std::size_t> waits_for;
    bool by_order = true;  // waits_for comes from the order
    bool continue_on_error = false, done_before = false;
    Retry retry;
    enum class State { waiting, running, backing_off, ended } state = State::waiting;
    Outcome outcome = Outcome::skipped;
    int tries = 0;
    Time retry_at{};
  };
  struct Judgement {
    bool run = false;
    std::string reason;
  };

  bool is_ready(const Step& step) const;
  Judgement judge(const Step& step) const;
  Judgement judge_hook(const Step& step) const;
  Ending ending_seen(const Step& step) const;
  void skip(std::size_t index, std::string reason, Decisions& decisions);
  void skip_unreachable(Decisions& decisions);

  std::vector<Step> steps_;
  std::vector<std::size_t> failures_;  // in the order of their ends, allowed ones left out
  bool cancelled_ = false;
};

}  // namespace slipway::model
