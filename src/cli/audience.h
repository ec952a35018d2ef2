#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/view.h"
#include "journal/record.h"
#include "model/notices.h"
#include "wire/journal_json.h"
#include "wire/log_marks.h"

namespace slipway::cli {

/// An attempt as those who watch know it.
struct AttemptView {
  RunId run;
  std::string job;
  std::string label;  ///< the job's name; with its workflow in front where several runs are watched
  AttemptId attempt;
  int number = 1;
  std::vector<std::string> steps;  ///< of the job, then child steps as they start
  std::size_t job_steps = 0;       ///< how many of them are of the job
  std::string journal_path;

  std::string_view step_name(std::size_t step) const {
    return step < steps.size() ? std::string_view(steps[step]) : std::string_view();
  }
};

/// One line of a step's output.
struct OutputLine {
  std::uint16_t step = journal::kNoStep;
  journal::Stream stream = journal::Stream::out;
  std::uint64_t number = 0;  ///< from 1 within the step, in the order in which lines end
  Time time{};
  bool from_source = false;
  std::string_view text;                ///< without its newline; valid during the call, as these
  const wire::LogMark* mark = nullptr;  ///< what it is to people; null: a line like any
  std::string_view group{};             ///< that it stands in: `Build / Link`
};

/// Watches runs: the engine's notices and, between an attempt's start and end, what its journal says, in order.
/// One thread.
class Audience {
 public:
  virtual ~Audience() = default;

  virtual void run_started(const model::RunStarted&) = 0;
  virtual void jobs_added(const model::JobsAdded&) = 0;
  virtual void attempt_started(const AttemptView&, Time at) = 0;
  virtual void step_started(const AttemptView&, std::uint16_t step, const wire::payload::StepStarted&, Time at) = 0;
  virtual void output(const AttemptView&, const OutputLine&) = 0;
  /// A group that was begun or ended by a command, not by what was printed.
  virtual void grouped(const AttemptView&, std::uint16_t step, const wire::payload::Group&, Time at) = 0;
  virtual void output_lost(const AttemptView&, std::uint16_t step, std::uint64_t bytes, Time at) = 0;
  virtual void step_finished(const AttemptView&, std::uint16_t step, const wire::payload::StepFinished&, Time at) = 0;
  virtual void annotated(const AttemptView&, std::uint16_t step, const wire::payload::Annotation&, Time at) = 0;
  virtual void stored(const AttemptView&, const wire::payload::Artifact&, Time at) = 0;
  virtual void noticed(const AttemptView&, const wire::payload::Notice&, Time at) = 0;
  virtual void journal_damaged(const AttemptView&, const std::string& what) = 0;
  virtual void attempt_finished(const AttemptView&, const model::AttemptFinished&) = 0;
  virtual void job_finished(const model::JobFinished&, const std::string& label) = 0;
  virtual void triggered(const model::Triggered&) = 0;
  virtual void run_finished(const model::RunFinished&) = 0;
  virtual void said(std::string_view text) = 0;
  virtual void told(const Remark&) = 0;

  /// Nothing more is known for now: what was gathered may go out. `now` is for elapsed times.
  virtual void pause(Time now) = 0;
  /// The last call.
  virtual void end() = 0;
};

}  // namespace slipway::cli
