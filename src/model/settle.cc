#include "model/settle.h"

#include <charconv>

#include <fmt/format.h>

#include "model/instances.h"
#include "model/units.h"

namespace slipway::model {

namespace {

template <class T, class P>
std::optional<UnitError> take(const Parsed<P>& parsed, T& member) {
  if (!parsed) return parsed.error();
  member = static_cast<typename T::value_type>(*parsed);
  return std::nullopt;
}

std::optional<UnitError> take_flag(const Parsed<bool>& parsed, bool& member) {
  if (!parsed) return parsed.error();
  member = *parsed;
  return std::nullopt;
}

std::optional<UnitError> take_attempts(std::string_view text, std::optional<Retry>& retry) {
  const auto attempts = parse_integer(text, 0, 100);
  if (!attempts) return attempts.error();
  if (!retry) retry.emplace();
  retry->attempts = static_cast<int>(*attempts);
  return std::nullopt;
}

constexpr std::string_view kUnknownPlace = "cannot hold an expression";

std::optional<UnitError> set_in_step(StepDefinition& step, std::string_view key, std::string_view text) {
  if (key == "timeout") return take(parse_duration(text), step.timeout);
  if (key == "no_output_timeout") return take(parse_duration(text), step.no_output_timeout);
  if (key == "continue_on_error") return take_flag(parse_boolean(text), step.continue_on_error);
  if (key == "retry.attempts") return take_attempts(text, step.retry);
  return UnitError{std::string(kUnknownPlace), ""};
}

std::optional<UnitError> set(JobDefinition& job, std::string_view where, std::string_view text) {
  constexpr std::string_view kSteps = "steps.";
  if (where.starts_with(kSteps)) {
    const std::string_view rest = where.substr(kSteps.size());
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
    const auto digits = static_cast<std::size_t>(end - rest.data());
    const bool known = error == std::errc() && index < job.steps.size() && digits + 1 < rest.size();
    return known ? set_in_step(job.steps[index], rest.substr(digits + 1), text)
                 : UnitError{std::string(kUnknownPlace), ""};
  }
  if (where == "timeout") return take(parse_duration(text), job.timeout);
  if (where == "no_output_timeout") return take(parse_duration(text), job.no_output_timeout);
  if (where == "continue_on_error") return take_flag(parse_boolean(text), job.continue_on_error);
  if (where == "retry.attempts") return take_attempts(text, job.retry);
  if (where == "resources.cpu") return take(parse_cpu(text), job.resources.cpus);
  if (where == "resources.memory") return take(parse_size(text), job.resources.memory_bytes);
  if (where == "resources.disk") return take(parse_size(text), job.resources.disk_bytes);
  if (where == "resources.pids") return take(parse_integer(text, 8, 4'194'304), job.resources.pids);
  return UnitError{std::string(kUnknownPlace), ""};
}

}  // namespace

Result<void> settle(JobDefinition& job, const Scope& scope) {
  for (const auto& [where, text] : job.late) {
    if (asks_open_outputs(text, scope)) continue;
    SW_TRY(const std::string value, expand(text, scope));
    const auto wrong = set(job, where, value);
    if (!wrong) continue;
    const Place& place = text.place;
    return fail(ErrorKind::invalid,
                fmt::format("{}:{}:{}: `{}` of job `{}`: {}{}{}", place.file, place.line, place.column, where, job.name,
                            wrong->message, wrong->hint.empty() ? "" : ": ", wrong->hint));
  }
  job.late.clear();
  return {};
}

}  // namespace slipway::model
