#include "wire/control.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/text.h"
#include "wire/json_fields.h"
#include "wire/sandbox_value.h"

namespace slipway::wire::control {

namespace {

constexpr std::size_t kMaxMessage = 64U << 10U;  // of an annotation
constexpr std::size_t kMaxPath = 4096;
constexpr std::chrono::milliseconds kMaxStepTimeout = std::chrono::days(30);
constexpr std::string_view kDeployInProgress = "deploy_in_progress";

/// What a question of the state is about.
json::string_view subject_of(std::string_view what) { return what == kDeployInProgress ? "environment" : "job"; }

void check_name(const Fields& fields, std::string_view key, const std::string& name) {
  if (!is_name(name)) fields.refuse(key, "a name (1 to 256 letters, digits, `_`, `-`, `.`)");
}

void check_size(const Fields& fields, std::string_view key, const std::string& text, std::size_t most) {
  if (text.size() > most) fields.refuse(key, fmt::format("at most {} bytes long", most));
}

Request set_of(const Fields& fields, payload::OutputVariable::Kind kind) {
  Set set{{kind, fields.required_text("name"), fields.required_text("value")}};
  check_name(fields, "name", set.variable.name);
  check_size(fields, "value", set.variable.value, kMaxValue);
  return set;
}

Request mask_of(const Fields& fields) {
  Mask mask{fields.required_text("value")};
  check_size(fields, "value", mask.value, kMaxSecret);
  return mask;
}

Request trigger_of(const Fields& fields) {
  Trigger trigger{fields.required_text("json")};
  if (auto object = parse_object(trigger.json, ""); !object && fields.problem()->empty()) {
    *fields.problem() = object.error().what;
  }
  return trigger;
}

Request annotate_of(const Fields& fields) {
  const auto level = payload::annotation_level_of(fields.text("level", "notice"));
  if (!level) fields.refuse("level", "notice, warning or error");
  const std::int64_t line = fields.integer("line");
  if (line < 0 || line > INT32_MAX) fields.refuse("line", "a line number");
  Annotate annotate{{level.value_or(payload::Annotation::Level::notice), fields.text("title"),
                     fields.required_text("message"), fields.text("file"), static_cast<int>(line)}};
  check_size(fields, "title", annotate.annotation.title, kMaxPath);
  check_size(fields, "message", annotate.annotation.message, kMaxMessage);
  check_size(fields, "file", annotate.annotation.file, kMaxPath);
  return annotate;
}

Request artifact_of(const Fields& fields) {
  Artifact artifact{fields.required_text("name"), fields.texts("paths")};
  if (!model::is_artifact_name(artifact.name)) {
    fields.refuse("name", fmt::format("an artifact's name ({})", model::kArtifactNameRule));
  }
  if (artifact.paths.empty() || artifact.paths.size() > kMaxPaths) {
    fields.refuse("paths", fmt::format("a list of 1 to {} paths", kMaxPaths));
  }
  for (const std::string& path : artifact.paths) check_size(fields, "paths", path, kMaxPath);
  return artifact;
}

Request group_of(const Fields& fields) {
  Group group{{fields.flag("start", true), fields.text("name")}};
  check_size(fields, "name", group.group.name, kMaxName);
  return group;
}

Request state_of(const Fields& fields) {
  const std::string what = fields.required_text("what");
  if (what != "is_job_running" && what != "job_result" && what != kDeployInProgress) {
    fields.refuse("what", "is_job_running, job_result or deploy_in_progress");
  }
  const std::string_view key = subject_of(what);
  const std::string name = fields.required_text(key);
  check_size(fields, key, name, kMaxName);
  return state_question(what, name);
}

bool is_executable_text(std::string_view text) { return text.find('\0') == std::string_view::npos; }

std::vector<std::string> environment_of(const Fields& fields, const json::object& variables) {
  std::vector<std::string> environment;
  for (const auto& [name, value] : variables) {
    const bool is_name = !name.empty() && name.find('=') == json::string_view::npos && is_executable_text(name);
    const json::string* const text = value.if_string();
    if (is_name && text == nullptr)
      fields.refuse_type("env." + printable(std::string_view(name), Colour::strip), "a text", value);
    if (!is_name || text == nullptr || !is_executable_text(*text)) {
      fields.refuse("env", "a map of names to texts");
      return {};
    }
    environment.push_back(fmt::format("{}={}", std::string_view(name), std::string_view(*text)));
  }
  return environment;
}

Request step_of(const Fields& fields) {
  RunStep step;
  step.name = fields.required_text("name");
  const bool has_controls =
      std::ranges::any_of(step.name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (step.name.empty() || step.name.size() > kMaxStepName || has_controls) {
    fields.refuse("name", fmt::format("a name of 1 to {} bytes on one line", kMaxStepName));
  }
  step.argv = fields.texts("argv");
  if (step.argv.empty() || step.argv.size() > kMaxArguments || !std::ranges::all_of(step.argv, is_executable_text)) {
    fields.refuse("argv", fmt::format("a list of 1 to {} words", kMaxArguments));
  }
  if (const json::object* variables = fields.object("env")) step.environment = environment_of(fields, *variables);
  step.working_dir = fields.text("working_dir");
  check_size(fields, "working_dir", step.working_dir, kMaxPath);
  if (!is_executable_text(step.working_dir) || (!step.working_dir.empty() && !step.working_dir.starts_with('/'))) {
    fields.refuse("working_dir", "an absolute path");
  }
  if (const auto timeout = fields.optional_count("timeout_ms")) {
    if (*timeout == 0 || *timeout > kMaxStepTimeout.count()) fields.refuse("timeout_ms", "1 ms to 30 days");
    step.timeout = std::chrono::milliseconds(*timeout);
  }
  return step;
}

json::object to_object(const RunStep& step) {
  json::object object{{"do", "step"}, {"name", step.name}, {"argv", to_json_array(step.argv)}};
  if (step.environment) {
    json::object variables;
    for (const std::string& entry : *step.environment) {
      const std::size_t equals = std::min(entry.find('='), entry.size());
      variables[std::string_view(entry).substr(0, equals)] =
          std::string_view(entry).substr(std::min(equals + 1, entry.size()));
    }
    object["env"] = std::move(variables);
  }
  if (!step.working_dir.empty()) object["working_dir"] = step.working_dir;
  if (step.timeout) object["timeout_ms"] = std::chrono::ceil<std::chrono::milliseconds>(*step.timeout).count();
  return object;
}

Request changed_files_of(const Fields& fields) {
  const std::string from = fields.text("from");
  const std::string to = fields.text("to");
  check_size(fields, "from", from, kMaxName);
  check_size(fields, "to", to, kMaxName);
  return changed_files_question(from, to);
}

json::object to_object(const Request& request) {
  return std::visit(
      Overloaded{
          [](const Set& set) {
            const bool is_output = set.variable.kind == payload::OutputVariable::Kind::output;
            return json::object{
                {"do", is_output ? "output" : "var"}, {"name", set.variable.name}, {"value", set.variable.value}};
          },
          [](const Mask& mask) { return json::object{{"do", "mask"}, {"value", mask.value}}; },
          [](const Trigger& trigger) { return json::object{{"do", "trigger"}, {"json", trigger.json}}; },
          [](const Annotate& annotate) {
            const std::string_view level = payload::to_string(annotate.annotation.level);
            return json::object{{"do", "annotate"},
                                {"level", json::string(level.data(), level.size())},
                                {"title", annotate.annotation.title},
                                {"message", annotate.annotation.message},
                                {"file", annotate.annotation.file},
                                {"line", annotate.annotation.line}};
          },
          [](const Artifact& artifact) {
            return json::object{{"do", "artifact"}, {"name", artifact.name}, {"paths", to_json_array(artifact.paths)}};
          },
          [](const Group& group) {
            return json::object{{"do", "group"}, {"start", group.group.start}, {"name", group.group.name}};
          },
          [](const AskOwner& ask) {
            // What is asked lies flat in the request; a text that is no object asks for nothing more.
            json::object object = parse_object(ask.json, "request").value_or(json::object{});
            object["do"] = ask.kind;
            return object;
          },
          [](const Sandbox& sandbox) { return control_object(sandbox.request); },
          [](const RunStep& step) { return to_object(step); },
          [](wire::Resume how) { return json::object{{"do", "resume"}, {"how", to_string(how)}}; },
      },
      request);
}

}  // namespace

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxName) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

std::string trigger_json(const TriggeredJob& job) {
  json::object entry{{"job_name", job.name}};
  if (!job.run.empty()) entry["job_command"] = job.run;
  if (!job.condition.empty()) entry["condition"] = job.condition;
  if (!job.depends_on.empty()) entry["depends_on"] = to_json_array(job.depends_on);
  json::object env;
  for (const auto& [name, value] : job.env) env[name] = value;
  if (!env.empty()) entry["env"] = std::move(env);
  return json::serialize(json::object{{"type", "trigger_job"}, {"jobs", json::array{std::move(entry)}}});
}

Request state_question(const std::string& what, const std::string& name) {
  return AskOwner{"state", json::serialize(json::object{{"what", what}, {subject_of(what), name}})};
}

Request changed_files_question(const std::string& from, const std::string& to) {
  json::object object;
  if (!from.empty()) object["from"] = from;
  if (!to.empty()) object["to"] = to;
  return AskOwner{"changed_files", json::serialize(object)};
}

std::vector<std::string> texts_in(std::string_view result, std::string_view key) {
  const auto object = parse_object(result, "result");
  if (!object) return {};
  std::string problem;
  return Fields(*object, &problem).texts(key);
}

std::string encode(const Request& request) { return json::serialize(to_object(request)); }

Result<Request> decode_request(std::string_view text) {
  if (text.size() > kMaxRequest) return fail(ErrorKind::exhausted, "the request is too long");
  SW_TRY(const json::object object, parse_object(text, "request"));
  std::string problem;
  const Fields fields(object, &problem);
  const std::string what = fields.text("do");
  const auto done = [&](Request request) { return checked(std::move(request), problem, what); };
  if (what == "output") return done(set_of(fields, payload::OutputVariable::Kind::output));
  if (what == "var") return done(set_of(fields, payload::OutputVariable::Kind::var));
  if (what == "mask") return done(mask_of(fields));
  if (what == "trigger") return done(trigger_of(fields));
  if (what == "annotate") return done(annotate_of(fields));
  if (what == "artifact") return done(artifact_of(fields));
  if (what == "group") return done(group_of(fields));
  if (what == "state") return done(state_of(fields));
  if (what == "changed_files") return done(changed_files_of(fields));
  if (what == "step") return done(step_of(fields));
  if (what == "git_info") return done(AskOwner{"git_info", "{}"});
  if (what == "resume") {
    const auto how = resume_of(fields.text("how"));
    if (!how) return fail(ErrorKind::invalid, "how: continue, retry or abort");
    return done(*how);
  }
  if (what == "sandbox") {
    SW_TRY(SandboxRequest sandbox, decode_sandbox_request(text));
    if (sandbox.argv.empty()) return fail(ErrorKind::invalid, "sandbox: a command is needed");
    return Sandbox{std::move(sandbox)};
  }
  return fail(ErrorKind::invalid, "`do` names no known request");
}

std::string encode(const Answer& answer) {
  if (answer.ok) {
    json::object result = parse_object(answer.result, "result").value_or(json::object{});
    return json::serialize(json::object{{"ok", true}, {"result", std::move(result)}});
  }
  const std::string_view kind = to_string(answer.kind);
  return json::serialize(
      json::object{{"ok", false}, {"error", answer.error}, {"kind", json::string(kind.data(), kind.size())}});
}

Result<Answer> decode_answer(std::string_view text) {
  SW_TRY(const json::object object, parse_object(text, "answer"));
  std::string problem;
  const Fields fields(object, &problem);
  Answer answer;
  answer.ok = fields.flag("ok");
  if (const json::object* result = fields.object("result")) answer.result = json::serialize(*result);
  answer.error = fields.text("error");
  const std::string kind = fields.text("kind");
  for (const ErrorKind known :
       {ErrorKind::invalid, ErrorKind::not_found, ErrorKind::conflict, ErrorKind::denied, ErrorKind::exhausted,
        ErrorKind::unavailable, ErrorKind::timeout, ErrorKind::cancelled, ErrorKind::internal}) {
    if (to_string(known) == kind) answer.kind = known;
  }
  return checked(std::move(answer), problem, "answer");
}

std::string frame(std::string_view text) {
  const auto length = static_cast<std::uint32_t>(text.size());
  std::string framed;
  framed.reserve(kPrefixBytes + text.size());
  for (unsigned shift = 0; shift < 32; shift += 8) framed.push_back(static_cast<char>((length >> shift) & 0xFFU));
  framed.append(text);
  return framed;
}

std::optional<std::size_t> Unframer::length() const {
  if (held_.size() < kPrefixBytes) return {};
  std::size_t length = 0;
  for (std::size_t i = 0; i < kPrefixBytes; ++i) {
    length |= static_cast<std::size_t>(static_cast<unsigned char>(held_[i])) << (8 * i);
  }
  return length;
}

Result<void> Unframer::feed(std::string_view bytes) {
  held_.append(bytes);
  if (const auto said = length(); said && *said > most_bytes_) {
    return fail(ErrorKind::exhausted, fmt::format("a message may be at most {} bytes long", most_bytes_));
  }
  return {};
}

bool Unframer::has_frame() const {
  const auto said = length();
  return said && *said <= most_bytes_ && held_.size() >= kPrefixBytes + *said;
}

std::optional<std::string> Unframer::next() {
  if (!has_frame()) return {};
  const std::size_t said = *length();
  std::string text = held_.substr(kPrefixBytes, said);
  held_.erase(0, kPrefixBytes + said);
  return text;
}

std::size_t Unframer::wanted() const {
  const std::size_t whole = kPrefixBytes + length().value_or(0);
  return whole > held_.size() ? whole - held_.size() : 0;
}

}  // namespace slipway::wire::control
