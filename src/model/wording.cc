#include "model/wording.h"

#include <algorithm>

namespace slipway::model {

namespace {

constexpr std::string_view kServiceBegin = "service `";

}  // namespace

std::string_view past_tense(Outcome outcome) {
  switch (outcome) {
    case Outcome::failed: return "failed";
    case Outcome::timed_out: return "timed out";
    case Outcome::out_of_memory: return "ran out of memory";
    case Outcome::infra_failed: return "could not be run";
    case Outcome::cancelled: return "was cancelled";
    case Outcome::skipped: return "was skipped";
    case Outcome::rejected: return "was rejected";
    case Outcome::succeeded: return "succeeded";
  }
  return "failed";
}

std::string service_reason(std::string_view service, std::string_view what) {
  return std::string(kServiceBegin).append(service).append("`").append(what);
}

std::string_view service_in(std::string_view reason) {
  if (!reason.starts_with(kServiceBegin)) return {};
  reason.remove_prefix(kServiceBegin.size());
  const std::size_t end = reason.find('`');
  const std::string_view name = reason.substr(0, end);
  // It becomes a part of a path and of a command.
  const bool is_name = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  return end == std::string_view::npos || !is_name ? std::string_view() : name;
}

}  // namespace slipway::model
