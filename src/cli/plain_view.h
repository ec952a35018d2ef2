#pragma once

#include <optional>
#include <string>

#include "cli/audience.h"
#include "cli/sink.h"
#include "cli/summary.h"

namespace slipway::cli {

/// Lines for pipes, files and simple terminals. The mark behind the job's name says what a line is, and stays so:
///   `test | text`      output        `test > unit: make check`   a step starts, `test > try 2` an attempt
///   `test < unit ok in 1.2 s`        a step or (without a step) the job ended; `test ! text` something to know
/// Quiet: nothing of these, only the summary of what failed.
class PlainView final : public Audience {
 public:
  enum class Lines { all, summary_of_failures };
  /// `follow`: as Summary's.
  PlainView(Sink& sink, bool colour, std::string program, Lines lines, std::string follow = {})
      : sink_(sink), colour_(colour), lines_(lines), summary_(colour, std::move(program), std::move(follow)) {}

  void run_started(const model::RunStarted& started) override;
  void jobs_added(const model::JobsAdded& added) override;
  void attempt_started(const AttemptView& attempt, Time at) override;
  void step_started(const AttemptView& attempt, std::uint16_t step, const wire::payload::StepStarted& started,
                    Time at) override;
  void output(const AttemptView& attempt, const OutputLine& line) override;
  void grouped(const AttemptView& attempt, std::uint16_t step, const wire::payload::Group& group, Time at) override;
  void output_lost(const AttemptView& attempt, std::uint16_t step, std::uint64_t bytes, Time at) override;
  void step_finished(const AttemptView& attempt, std::uint16_t step, const wire::payload::StepFinished& finished,
                     Time at) override;
  void annotated(const AttemptView& attempt, std::uint16_t step, const wire::payload::Annotation& annotation,
                 Time at) override;
  void stored(const AttemptView& attempt, const wire::payload::Artifact& artifact, Time at) override;
  void noticed(const AttemptView& attempt, const wire::payload::Notice& notice, Time at) override;
  void journal_damaged(const AttemptView& attempt, const std::string& what) override;
  void attempt_finished(const AttemptView& attempt, const model::AttemptFinished& finished) override;
  void job_finished(const model::JobFinished& finished, const std::string& label) override;
  void triggered(const model::Triggered& triggered) override;
  void run_finished(const model::RunFinished& finished) override;
  void said(std::string_view text) override;
  void told(const Remark& remark) override;
  void pause(Time now) override;
  void end() override;

 private:
  void log_line(const AttemptView& attempt, std::string_view text);
  void line(std::string_view label, std::string_view mark, std::string_view text);

  Sink& sink_;
  bool colour_;
  Lines lines_;
  Summary summary_;
  // The prefix of the attempt whose output came last, made once.
  std::string prefix_of_;
  std::string prefix_;
};

/// The symbol of an annotation; a mere notice has none.
std::optional<Mark> mark_of(wire::payload::Annotation::Level level);
/// What an annotation says, on one line: `warning: main.c:12: unused`.
std::string annotation_text(const wire::payload::Annotation& annotation);

}  // namespace slipway::cli
