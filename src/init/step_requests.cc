#include "init/step_requests.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "model/trust.h"
#include "wire/log_marks.h"
#include "wire/owner_json.h"

namespace slipway::init {

namespace control = wire::control;
using journal::RecordType;

namespace {

// Of a whole job, so that what its end repeats and what the engine keeps stays small.
constexpr std::size_t kMaxVariables = 1000;
constexpr std::uint64_t kMaxVariableBytes = 512U << 10U;
constexpr std::uint64_t kMaxTriggerBytes = 8U << 20U;
constexpr std::uint64_t kMaxTriggers = 1000;
constexpr std::size_t kMaxAnnotations = 10'000;
constexpr std::size_t kMaxArtifacts = 100;
constexpr std::size_t kMaxSecrets = 10'000;
constexpr std::size_t kMaxScans = 64;
constexpr std::string_view kTriggerLine = "::slipway-trigger::";

control::Answer answer_of(const Result<void>& done) {
  if (done) return {true, "{}", {}, {}};
  return {false, "{}", done.error().kind, done.error().what};
}

}  // namespace

std::string_view explain(secrets::Weakness weakness) {
  switch (weakness) {
    case secrets::Weakness::none: return {};
    case secrets::Weakness::too_short: return "it is too short to be masked without shredding the log";
    case secrets::Weakness::too_common: return "it is too common a text to be masked without shredding the log";
    case secrets::Weakness::too_long: return "it is too long to be masked";
    case secrets::Weakness::too_many: return "there are too many secrets to mask one more";
  }
  return {};
}

ControlServer::OnGone StepRequests::handle(std::uint16_t step, control::Request request,
                                           const ControlServer::Respond& respond) {
  if (auto* sandbox = std::get_if<control::Sandbox>(&request)) {
    return run_beside(step, std::move(sandbox->request), respond);
  }
  std::visit(Overloaded{
                 [&](control::Set& set) { respond(answer_of(this->set(step, std::move(set.variable)))); },
                 [&](control::Mask& mask) { respond(this->mask(step, mask.value)); },
                 [&](control::Trigger& trigger) { trigger_for(step, trigger.json, respond); },
                 [&](control::Annotate& annotate) { respond(answer_of(this->annotate(step, annotate.annotation))); },
                 [&](control::Artifact& artifact) { respond(answer_of(keep_artifact(step, artifact))); },
                 [&](control::Group& group) {
                   records_.append(RecordType::group, step,
                                   wire::payload::Group{group.group.start, records_.masked(group.group.name)});
                   respond({true, "{}", {}, {}});
                 },
                 [&](control::AskOwner& ask) { ask_owner(ask, respond); },
                 [](control::Sandbox&) {},  // above
                 [&](control::RunStep&) {
                   respond({false, "{}", ErrorKind::internal, "steps below a step are not run here"});
                 },
                 [&](wire::Resume&) {
                   respond({false, "{}", ErrorKind::denied, "only who is attached to the job says how it goes on"});
                 },
             },
             request);
  return nullptr;
}

Result<void> StepRequests::set(std::uint16_t step, wire::payload::OutputVariable variable) {
  return set_all(step, {std::move(variable)});
}

Result<void> StepRequests::set_all(std::uint16_t step, const std::vector<wire::payload::OutputVariable>& variables) {
  std::size_t count = outputs_.size() + vars_.size();
  std::uint64_t bytes = variable_bytes_;
  for (const wire::payload::OutputVariable& variable : variables) {
    if (records_.masked(variable.name) != variable.name) {
      return fail(ErrorKind::invalid, "the name of an output or variable holds a secret");
    }
    const auto& known = known_of(variable);
    const auto before = known.find(variable.name);
    if (before == known.end())
      ++count;
    else
      bytes -= before->second.size();
    bytes += variable.value.size();
  }
  if (count > kMaxVariables) {
    return fail(ErrorKind::exhausted, fmt::format("a job may set at most {} outputs and variables", kMaxVariables));
  }
  if (bytes > kMaxVariableBytes) {
    return fail(ErrorKind::exhausted,
                fmt::format("outputs and variables of a job may hold {} bytes", kMaxVariableBytes));
  }
  for (const wire::payload::OutputVariable& variable : variables) keep(step, variable);
  return {};
}

std::map<std::string, std::string>& StepRequests::known_of(const wire::payload::OutputVariable& variable) {
  return variable.kind == wire::payload::OutputVariable::Kind::output ? outputs_ : vars_;
}

void StepRequests::keep(std::uint16_t step, wire::payload::OutputVariable variable) {
  // What passes to other jobs is written down: a secret in it does not go along.
  std::string value = records_.masked(variable.value);
  if (value != variable.value) {
    records_.notice(step, "secret_in_output",
                    fmt::format("`{}` holds a secret: it is passed on masked", variable.name));
  }
  variable.value = std::move(value);
  std::string& known = known_of(variable)[variable.name];
  variable_bytes_ = variable_bytes_ - known.size() + variable.value.size();
  known = variable.value;
  if (variable.kind == wire::payload::OutputVariable::Kind::output) output_setters_[variable.name] = step;
  records_.append(RecordType::output_variable, step, variable);
}

Result<std::string> StepRequests::record_trigger(std::uint16_t step, std::string_view json) {
  auto masked = wire::masked_object(json, [this](std::string_view text) { return records_.masked(text); });
  if (!masked) return wrap(masked.error(), "a trigger");
  if (trigger_bytes_ + json.size() > kMaxTriggerBytes) {
    return fail(ErrorKind::exhausted, fmt::format("the triggers of a job may hold {} bytes", kMaxTriggerBytes));
  }
  if (triggers_ >= kMaxTriggers) {
    return fail(ErrorKind::exhausted, fmt::format("a job may send at most {} triggers", kMaxTriggers));
  }
  trigger_bytes_ += json.size();
  ++triggers_;
  records_.append(RecordType::trigger, step, wire::payload::Trigger{*masked});
  return masked;
}

void StepRequests::ask_about(std::uint16_t step, std::string json,
                             std::function<void(const std::string& refused)> then) {
  ++triggers_open_;
  owner_.ask("trigger", std::move(json), [this, step, then = std::move(then)](const wire::Reply& reply, auto) {
    // An owner that cannot say now finds the trigger in the journal.
    const std::string refused = reply.ok ? records_.masked(wire::refused_in(reply.json)) : std::string();
    if (!refused.empty()) {
      records_.append(RecordType::annotation, step,
                      wire::payload::Annotation{
                          wire::payload::Annotation::Level::error, "trigger refused", "trigger: " + refused, {}, 0});
    }
    if (then) then(refused);
    if (--triggers_open_ == 0 && on_answered_) std::exchange(on_answered_, nullptr)();
  });
}

void StepRequests::trigger_for(std::uint16_t step, std::string_view json, const ControlServer::Respond& respond) {
  auto recorded = record_trigger(step, json);
  if (!recorded) return respond({false, "{}", recorded.error().kind, recorded.error().what});
  ask_about(step, *std::move(recorded), [respond](const std::string& refused) {
    if (refused.empty())
      respond({true, "{}", {}, {}});
    else
      respond({false, "{}", ErrorKind::denied, refused});
  });
}

void StepRequests::trigger(std::uint16_t step, std::string_view json, std::string_view where) {
  auto recorded = record_trigger(step, json);
  if (recorded) return ask_about(step, *std::move(recorded), nullptr);
  records_.append(RecordType::annotation, step,
                  wire::payload::Annotation{wire::payload::Annotation::Level::error,
                                            "trigger refused",
                                            records_.masked(fmt::format("{}: {}", where, recorded.error().what)),
                                            {},
                                            0});
}

void StepRequests::when_answered(std::function<void()> then) {
  if (triggers_open_ == 0) return then();
  on_answered_ = std::move(then);
}

Result<void> StepRequests::annotate(std::uint16_t step, const wire::payload::Annotation& annotation) {
  if (++annotations_ > kMaxAnnotations) {
    return fail(ErrorKind::exhausted, fmt::format("a job may make at most {} annotations", kMaxAnnotations));
  }
  wire::payload::Annotation masked = annotation;
  masked.title = records_.masked_cut(annotation.title, wire::kMostName);
  masked.message = records_.masked_cut(annotation.message, wire::kMostMessage);
  masked.file = records_.masked_cut(annotation.file, wire::kMostName);
  records_.append(RecordType::annotation, step, masked);
  return {};
}

void StepRequests::printed(std::uint16_t step, journal::Stream stream, std::string_view line) {
  using Kind = wire::LogMark::Kind;
  const bool may_trigger = obeys_triggers_ && stream == journal::Stream::out && line.starts_with(kTriggerLine);
  // A flood of annotations is not read to its end for nothing.
  const bool is_annotation =
      !may_trigger && !line.starts_with("::add-mask::") && !line.starts_with("::stop-commands::");
  if (annotations_ > kMaxAnnotations && is_annotation && !stopped_.contains(step)) return;
  const wire::LogMark mark = wire::read_mark(line);
  if (const auto stopped = stopped_.find(step); stopped != stopped_.end()) {
    if (mark.kind == Kind::resume && mark.text == stopped->second) stopped_.erase(stopped);
    return;
  }
  if (may_trigger) {
    line.remove_prefix(kTriggerLine.size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) trigger(step, line, kTriggerLine);
    return;
  }
  switch (mark.kind) {
    case Kind::mask:
      if (!mark.text.empty()) (void)mask(step, mark.text);  // one that is too weak got its notice
      return;
    case Kind::stop:
      if (!mark.text.empty()) stopped_[step] = mark.text;
      return;
    case Kind::annotation:
      if (!annotate(step, mark.annotation) && annotations_ == kMaxAnnotations + 1) {
        records_.notice(step, "many_annotations",
                        fmt::format("only the first {} annotations of the job are kept", kMaxAnnotations));
      }
      return;
    case Kind::none:
    case Kind::open:
    case Kind::close:
    case Kind::expand:
    case Kind::debug:
    case Kind::resume: return;
  }
}

Result<void> StepRequests::keep_artifact(std::uint16_t step, const control::Artifact& artifact) {
  if (artifacts_asked_ >= kMaxArtifacts) {
    return fail(ErrorKind::exhausted, fmt::format("a job may ask for at most {} artifacts", kMaxArtifacts));
  }
  if (records_.masked(artifact.name) != artifact.name) {
    return fail(ErrorKind::invalid, "the name of an artifact holds a secret");
  }
  // By its name an artifact is known to come from paths that untrusted source could, or could not write.
  if (artifact.name == model::kArtifactOfDirectory ||
      std::ranges::find(declared_, artifact.name, &model::ArtifactSpec::name) != declared_.end()) {
    return fail(ErrorKind::invalid, fmt::format("`{}` is the name of an artifact that the job declares, or of what "
                                                "lies in its artifacts directory: take another",
                                                artifact.name));
  }
  artifacts_.push_back({artifact.name, artifact.paths, step});
  ++artifacts_asked_;
  return {};
}

std::map<std::string, std::string> StepRequests::outputs_of(std::uint16_t step) const {
  std::map<std::string, std::string> set;
  for (const auto& [name, value] : outputs_) {
    const auto setter = output_setters_.find(name);
    if (setter != output_setters_.end() && setter->second == step) set.emplace(name, value);
  }
  return set;
}

std::vector<AskedArtifact> StepRequests::take_artifacts(std::uint16_t step) {
  std::vector<AskedArtifact> taken;
  for (const AskedArtifact& asked : artifacts_) {
    if (asked.step == step) taken.push_back(asked);
  }
  std::erase_if(artifacts_, [&](const AskedArtifact& asked) { return asked.step == step; });
  return taken;
}

std::optional<BundleTask> StepRequests::task_of(const AskedArtifact& asked, const std::string& workspace) {
  if (records_.masked(asked.name) != asked.name) {  // registered after it was asked for
    records_.notice(asked.step, "artifact_not_stored", "the name of an artifact holds a secret: " + asked.name);
    return {};
  }
  auto task = artifact_task(workspace, asked.name, asked.paths);
  if (!task) {
    records_.notice(asked.step, "artifact_not_stored", fmt::format("artifact `{}`: {}", asked.name, task.error().what));
    return {};
  }
  task->step = asked.step;
  return std::move(*task);
}

control::Answer StepRequests::mask(std::uint16_t step, const std::string& value) {
  if (secrets_ >= kMaxSecrets) {
    return {false, "{}", ErrorKind::exhausted, fmt::format("a job may register at most {} secrets", kMaxSecrets)};
  }
  const secrets::Weakness weakness = records_.secrets().add(value);
  if (weakness != secrets::Weakness::none) {
    const std::string why = fmt::format("a value that was given to be masked is not: {}", explain(weakness));
    records_.notice(step, "weak_secret", why);
    return {false, "{}", ErrorKind::invalid, why};
  }
  ++secrets_;
  records_.append(RecordType::secret_registered, step, wire::payload::SecretRegistered{});
  mask_again(step);
  begin_scan(step, value);
  return {true, R"({"masked":true})", {}, {}};
}

/// What was set before the secret was known is passed on at the end of the job: masked by then.
void StepRequests::mask_again(std::uint16_t step) {
  for (std::map<std::string, std::string>* known : {&outputs_, &vars_}) {
    for (auto& [name, value] : *known) {
      std::string masked = records_.masked(value);
      if (masked == value) continue;
      records_.notice(step, "secret_in_output", fmt::format("`{}` holds a secret: it is passed on masked", name));
      variable_bytes_ -= std::min<std::uint64_t>(value.size(), variable_bytes_);
      variable_bytes_ += masked.size();
      value = std::move(masked);
    }
  }
}

void StepRequests::begin_scan(std::uint16_t step, std::string_view value) {
  records_.flush();
  if (scans_.size() >= kMaxScans) {
    records_.notice(step, "not_scanned",
                    "many secrets were registered at once: earlier output was not searched for this one");
    return;
  }
  auto scan = ExposureScan::begin(records_.fd(), value, records_.offset());
  if (scan) {
    const auto looked = records_.look_at_tails([&](const journal::TailRing::Piece& piece) -> Result<void> {
      scan->look_at_tail(piece.record.step, piece.record.type, piece.record.payload);
      return {};
    });
    if (!looked)
      records_.notice(step, "not_scanned", "the last output was not searched for this secret: " + looked.error().what);
    scans_.push_back({std::move(*scan), step});
  } else {
    records_.notice(step, "not_scanned", "earlier output was not searched for this secret: " + scan.error().what);
  }
}

void StepRequests::scan_some() {
  if (scans_.empty()) return;
  Scan& scan = scans_.front();
  const auto state = scan.scan.go_on();
  if (state && *state == ExposureScan::State::more) return;
  for (const std::uint16_t step : scan.scan.exposed()) {
    wire::payload::Annotation annotation;
    annotation.level = wire::payload::Annotation::Level::warning;
    annotation.title = "exposed secret";
    annotation.message =
        "a value that was registered by `slipway mask` stands unmasked in what was recorded of this step before";
    records_.append(RecordType::annotation, step, annotation);
  }
  if (!state) {
    records_.notice(scan.by_step, "not_scanned", "earlier output was not searched to its end: " + state.error().what);
  }
  scans_.pop_front();
}

void StepRequests::give_up_scans() {
  for (const Scan& scan : scans_) {
    records_.notice(scan.by_step, "not_scanned", "earlier output was not searched to its end: the job ended");
  }
  scans_.clear();
}

ControlServer::OnGone StepRequests::run_beside(std::uint16_t step, wire::SandboxRequest request,
                                               const ControlServer::Respond& respond) {
  request.step = step;
  const auto started = siblings_.start(
      std::move(request), [respond](const wire::Ended& end) { respond({true, wire::ended_json(end), {}, {}}); });
  if (started) return [this, id = *started] { siblings_.stop(id, false); };
  respond({false, "{}", started.error().kind, started.error().what});
  return nullptr;
}

void StepRequests::ask_owner(const control::AskOwner& ask, const ControlServer::Respond& respond) {
  if (owner_.is_lost()) {
    return respond({false, "{}", ErrorKind::unavailable, "the owner of this sandbox is gone"});
  }
  owner_.ask(ask.kind, ask.json, [respond](const wire::Reply& reply, std::vector<os::Fd>) {
    if (reply.ok) {
      respond({true, reply.json, {}, {}});
    } else {
      respond({false, "{}", wire::error_kind_in(reply.json), wire::error_in(reply.json)});
    }
  });
}

}  // namespace slipway::init
