#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cli/audience.h"
#include "cli/sink.h"

namespace slipway::cli {

/// One JSON object a line, as docs/json.md specifies them: programs depend on every name here. One thread.
class JsonView final : public Audience {
 public:
  explicit JsonView(Sink& sink, std::function<int(int)> program_exit_code = {})
      : sink_(sink), program_exit_code_(std::move(program_exit_code)) {}

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
  struct RunState {
    std::map<std::string, std::string> steps;  // of each job's last attempt, as a JSON array
    std::vector<std::string> jobs;             // JSON of those that ended, in that order
  };

  Sink& sink_;
  std::function<int(int)> program_exit_code_;
  std::map<RunId, RunState> runs_;
  // The beginning of an output event of the step whose line came last, made once.
  const AttemptView* output_of_ = nullptr;
  std::uint16_t output_step_ = 0;
  std::string output_prefix_;
};

}  // namespace slipway::cli
