#include "cli/json_view.h"

#include "cli/json_writer.h"
#include "cli/step_tree.h"

namespace slipway::cli {

namespace {

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::max(duration, Duration(0))).count();
}

// One line; the event's type comes first and is written here.
class Event {
 public:
  Event(Sink& sink, std::string_view type) : sink_(sink), json(sink.buffer()) {
    json.begin_object().field("type", type);
  }
  ~Event() {
    json.end_object();
    sink_.buffer() += '\n';
    sink_.written();
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

 private:
  Sink& sink_;

 public:
  JsonWriter json;
};

void add_attempt(JsonWriter& json, const AttemptView& attempt) {
  json.field("run", attempt.run.value).field("job", attempt.job).field("attempt", attempt.number);
}

void add_step(JsonWriter& json, const AttemptView& attempt, std::uint16_t step) {
  add_attempt(json, attempt);
  if (step != journal::kNoStep) json.field("step", attempt.step_name(step));
}

}  // namespace

void JsonView::run_started(const model::RunStarted& started) {
  runs_[started.run];
  Event event(sink_, "run_started");
  event.json.field("run", started.run.value).field("workflow", started.workflow).field("event", started.event);
  event.json.field("branch", started.branch).field("sha", started.sha).field("at", started.at).begin_array("jobs");
  for (const std::string& job : started.jobs) event.json.item(job);
  event.json.end_array();
}

void JsonView::jobs_added(const model::JobsAdded& added) {
  Event event(sink_, "jobs_added");
  event.json.field("run", added.run.value).field("because", added.because).begin_array("jobs");
  for (const std::string& job : added.jobs) event.json.item(job);
  event.json.end_array();
}

void JsonView::attempt_started(const AttemptView& attempt, Time at) {
  Event event(sink_, "job_started");
  add_attempt(event.json, attempt);
  event.json.field("at", at).begin_array("steps");
  for (const std::string& step : attempt.steps) event.json.item(step);
  event.json.end_array();
}

void JsonView::step_started(const AttemptView& attempt, std::uint16_t step, const wire::payload::StepStarted& started,
                            Time at) {
  Event event(sink_, "step_started");
  add_step(event.json, attempt, step);
  event.json.field("try", started.attempt).field("command", started.command);
  if (started.parent) event.json.field("parent", attempt.step_name(*started.parent));
  event.json.field("at", at);
}

void JsonView::output(const AttemptView& attempt, const OutputLine& line) {
  if (output_of_ != &attempt || output_step_ != line.step || output_prefix_.empty()) {
    output_of_ = &attempt;
    output_step_ = line.step;
    output_prefix_.clear();
    JsonWriter json(output_prefix_);
    json.begin_object().field("type", "output");
    add_step(json, attempt, line.step);
  }
  std::string& out = sink_.buffer();
  out += output_prefix_;
  out += line.stream == journal::Stream::out ? R"(,"stream":"stdout","line":)" : R"(,"stream":"stderr","line":)";
  out += fmt::format_int(line.number).c_str();
  if (line.from_source) out += R"(,"origin":"source")";
  if (!line.group.empty()) {
    out += R"(,"group":)";
    append_json_text(out, line.group);
  }
  out += R"(,"text":)";
  append_json_text(out, line.text);
  out += "}\n";
  sink_.written();
}

void JsonView::grouped(const AttemptView& attempt, std::uint16_t step, const wire::payload::Group& group, Time at) {
  Event event(sink_, "group");
  add_step(event.json, attempt, step);
  event.json.field("start", group.start).field("name", group.name).field("at", at);
}

void JsonView::output_lost(const AttemptView& attempt, std::uint16_t step, std::uint64_t bytes, Time at) {
  Event event(sink_, "output_lost");
  add_step(event.json, attempt, step);
  event.json.field("bytes", bytes).field("at", at);
}

void JsonView::step_finished(const AttemptView& attempt, std::uint16_t step,
                             const wire::payload::StepFinished& finished, Time at) {
  Event event(sink_, "step_finished");
  const model::StepResult& result = finished.result;
  add_step(event.json, attempt, step);
  event.json.field("outcome", model::to_string(result.outcome)).field("exit_code", result.exit_code);
  event.json.field("duration_ms", milliseconds(result.finished - result.started)).field("reason", finished.reason);
  event.json.field("failure_allowed", finished.failure_allowed).field("will_retry", finished.will_retry);
  if (result.cpu_micros > 0) event.json.field("cpu_ms", result.cpu_micros / 1000);
  if (result.memory_peak_bytes > 0) event.json.field("memory_peak_bytes", result.memory_peak_bytes);
  if (result.io_read_bytes > 0) event.json.field("io_read_bytes", result.io_read_bytes);
  if (result.io_written_bytes > 0) event.json.field("io_written_bytes", result.io_written_bytes);
  event.json.field("at", at);
}

void JsonView::annotated(const AttemptView& attempt, std::uint16_t step, const wire::payload::Annotation& annotation,
                         Time at) {
  Event event(sink_, "annotation");
  add_step(event.json, attempt, step);
  event.json.field("level", wire::payload::to_string(annotation.level)).field("title", annotation.title);
  event.json.field("message", annotation.message);
  if (!annotation.file.empty()) event.json.field("file", annotation.file);
  if (annotation.line > 0) event.json.field("line", annotation.line);
  if (annotation.column > 0) event.json.field("column", annotation.column);
  if (annotation.end_line > 0) event.json.field("end_line", annotation.end_line);
  event.json.field("at", at);
}

void JsonView::stored(const AttemptView& attempt, const wire::payload::Artifact& artifact, Time at) {
  Event event(sink_, artifact.kind == wire::payload::Artifact::Kind::cache ? "cache_saved" : "artifact");
  add_attempt(event.json, attempt);
  event.json.field("name", artifact.name).field("files", artifact.files).field("bytes", artifact.bytes);
  event.json.begin_array("refused");
  for (const std::string& refused : artifact.refused) event.json.item(refused);
  event.json.end_array().field("at", at);
}

void JsonView::noticed(const AttemptView& attempt, const wire::payload::Notice& notice, Time at) {
  Event event(sink_, "notice");
  add_attempt(event.json, attempt);
  event.json.field("code", notice.code).field("message", notice.message).field("at", at);
}

void JsonView::journal_damaged(const AttemptView& attempt, const std::string& what) {
  Event event(sink_, "notice");
  add_attempt(event.json, attempt);
  event.json.field("code", "journal_damaged").field("message", what);
}

void JsonView::attempt_finished(const AttemptView& attempt, const model::AttemptFinished& finished) {
  const model::AttemptReport& report = finished.report;
  std::string steps = "[";
  for (const ShownStep& step : steps_in_order(report.steps)) {
    if (steps.size() > 1) steps += ',';
    JsonWriter json(steps);
    json.begin_object().field("name", step.name).field("outcome", model::to_string(step.result->outcome));
    json.field("exit_code", step.result->exit_code);
    json.field("duration_ms", milliseconds(step.result->finished - step.result->started));
    if (step.parent) json.field("parent", *step.parent);
    json.end_object();
  }
  runs_[finished.run].steps[finished.job] = steps + "]";
  if (output_of_ == &attempt) output_of_ = nullptr;  // its address may come again
  if (!finished.will_retry) return;
  Event event(sink_, "attempt_failed");
  add_attempt(event.json, attempt);
  event.json.field("outcome", model::to_string(report.outcome)).field("exit_code", report.exit_code);
  event.json.field("reason", report.reason).field("retry_at", finished.retry_at);
}

void JsonView::job_finished(const model::JobFinished& finished, const std::string& /*label*/) {
  RunState& run = runs_[finished.run];
  auto steps = run.steps.extract(finished.job);
  std::string job;
  JsonWriter json(job);
  json.begin_object().field("name", finished.job).field("outcome", model::to_string(finished.outcome));
  json.field("exit_code", finished.exit_code).field("started_at", finished.started);
  json.field("duration_ms", milliseconds(finished.finished - finished.started));
  json.raw("steps", steps.empty() ? "[]" : steps.mapped()).end_object();
  run.jobs.push_back(std::move(job));

  Event event(sink_, "job_finished");
  event.json.field("run", finished.run.value)
      .field("job", finished.job)
      .field("outcome", model::to_string(finished.outcome));
  event.json.field("exit_code", finished.exit_code).field("reason", finished.reason);
  event.json.field("failure_allowed", finished.failure_allowed).field("started_at", finished.started);
  event.json.field("duration_ms", milliseconds(finished.finished - finished.started));
}

void JsonView::triggered(const model::Triggered& triggered) {
  Event event(sink_, "trigger");
  event.json.field("run", triggered.run.value).field("by_job", triggered.by_job).field("job", triggered.job);
  event.json.field("accepted", triggered.accepted).field("next", triggered.is_next()).field("as", triggered.as);
  event.json.field("reason", triggered.reason).field("trigger", triggered.json);
}

void JsonView::run_finished(const model::RunFinished& finished) {
  const auto run = runs_.extract(finished.run);
  Event event(sink_, "run_finished");
  event.json.field("run", finished.run.value).field("outcome", model::to_string(finished.outcome));
  event.json.field("exit_code", program_exit_code_ ? program_exit_code_(finished.exit_code) : finished.exit_code);
  std::string jobs = "[";
  if (!run.empty()) {
    for (const std::string& job : run.mapped().jobs) jobs += (jobs.size() > 1 ? "," : "") + job;
  }
  event.json.raw("jobs", jobs + "]");
  if (finished.tests.total() == 0) return;
  std::string tests;
  JsonWriter json(tests);
  tests_fields(json.begin_object(), finished.tests);
  json.end_object();
  event.json.raw("tests", tests);
}

void JsonView::said(std::string_view text) {
  Event event(sink_, "notice");
  event.json.field("code", "slipway").field("message", text);
}

void JsonView::told(const Remark& remark) {
  Event event(sink_, "notice");
  event.json.field("run", remark.run.value).field("job", remark.job).field("attempt", remark.attempt);
  event.json.field("code", remark.code).field("message", remark.text).field("at", remark.at);
}

void JsonView::pause(Time /*now*/) { sink_.flush(); }
void JsonView::end() { sink_.flush(); }

}  // namespace slipway::cli
