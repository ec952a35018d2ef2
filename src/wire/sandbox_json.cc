#include "wire/sandbox_json.h"

#include <limits>

#include <fmt/format.h>

#include "wire/json_fields.h"
#include "wire/sandbox_value.h"

namespace slipway::wire {

namespace {

constexpr std::size_t kMaxArguments = 10'000, kMaxPath = 4096;

json::object to_object(const Ended& end) {
  const std::string_view outcome = model::to_string(end.outcome);
  return {{"outcome", json::string(outcome.data(), outcome.size())},
          {"exit_code", end.exit_code},
          {"reason", end.reason},
          {"cpu_micros", end.cpu_micros},
          {"memory_peak_bytes", end.memory_peak_bytes}};
}

Ended ended_of(const Fields& fields) {
  Ended end;
  const auto outcome = model::outcome_of(fields.text("outcome"));
  if (!outcome) fields.refuse("outcome", "an outcome");
  end.outcome = outcome.value_or(model::Outcome::infra_failed);
  end.exit_code = static_cast<int>(fields.integer("exit_code"));
  end.reason = fields.text("reason");
  end.cpu_micros = fields.count("cpu_micros");
  end.memory_peak_bytes = fields.count("memory_peak_bytes");
  return end;
}

json::object to_object(const SandboxRequest& request) {
  return {{"step", request.step},
          {"argv", to_json_array(request.argv)},
          {"working_dir", request.working_dir},
          {"shares", to_json_array(request.shares)},
          {"outputs", to_json_array(request.outputs)}};
}

std::vector<std::string> paths_of(const Fields& fields, std::string_view key, std::size_t most) {
  std::vector<std::string> paths = fields.texts(key);
  if (paths.size() > most) fields.refuse(key, fmt::format("at most {} paths", most));
  for (const std::string& path : paths) {
    if (path.empty() || path.size() > kMaxPath) fields.refuse(key, "a list of paths");
  }
  return paths;
}

}  // namespace

std::string encode(const SandboxRequest& request) { return json::serialize(to_object(request)); }

Result<SandboxRequest> decode_sandbox_request(std::string_view text) {
  SW_TRY(const json::object object, parse_object(text, "sandbox"));
  std::string problem;
  const Fields fields(object, &problem);
  SandboxRequest request;
  const std::uint64_t step = fields.count("step");
  if (step > std::numeric_limits<std::uint16_t>::max()) fields.refuse("step", "a step's number");
  request.step = static_cast<std::uint16_t>(step);
  request.argv = fields.texts("argv");
  if (request.argv.size() > kMaxArguments) fields.refuse("argv", "a shorter command");
  request.working_dir = fields.text("working_dir");
  request.shares = paths_of(fields, "shares", kMaxShares);
  request.outputs = paths_of(fields, "outputs", kMaxSourceOutputs);
  return checked(std::move(request), problem, "sandbox");
}

std::string encode(const SandboxReply& reply) {
  json::object object = to_object(reply.end);
  object["outputs"] = to_json_array(reply.outputs);
  object["refused"] = to_json_array(reply.refused);
  return json::serialize(object);
}

Result<SandboxReply> decode_sandbox_reply(std::string_view text) {
  SW_TRY(const json::object object, parse_object(text, "sandbox"));
  std::string problem;
  const Fields fields(object, &problem);
  return checked(SandboxReply{ended_of(fields), fields.texts("outputs"), fields.texts("refused")}, problem, "sandbox");
}

std::string encode(const StopSandbox& stop) {
  return json::serialize(json::object{{"id", stop.id}, {"at_once", stop.at_once}});
}

Result<StopSandbox> decode_stop_sandbox(std::string_view text) {
  SW_TRY(const json::object object, parse_object(text, "stop_sandbox"));
  std::string problem;
  const Fields fields(object, &problem);
  return checked(StopSandbox{fields.count("id"), fields.flag("at_once")}, problem, "stop_sandbox");
}

json::object control_object(const SandboxRequest& request) {
  json::object object = to_object(request);
  object.erase("step");
  object["do"] = "sandbox";
  return object;
}

std::string ended_json(const Ended& end) { return json::serialize(to_object(end)); }

std::string ended_json(const Ended& end, const ChildLeft& left) {
  json::object object = to_object(end);
  object["step"] = left.step;
  json::object& outputs = object["outputs"].emplace_object();
  for (const auto& [name, value] : left.outputs) outputs[name] = value;
  json::array& artifacts = object["artifacts"].emplace_array();
  for (const auto& [name, url] : left.artifacts) artifacts.push_back(json::object{{"name", name}, {"url", url}});
  return json::serialize(object);
}

Result<Ended> decode_ended(std::string_view text) {
  SW_TRY(const json::object object, parse_object(text, "ended"));
  std::string problem;
  return checked(ended_of(Fields(object, &problem)), problem, "ended");
}

}  // namespace slipway::wire
