#include "model/definition.h"

#include <algorithm>
#include <array>

namespace slipway::model {

namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, 6> kEventKinds = {"push", "pull_request", "tag", "schedule", "manual", "api"};
constexpr std::array<std::string_view, 8> kOutcomes = {"succeeded",     "failed",       "timed_out", "cancelled",
                                                       "out_of_memory", "infra_failed", "rejected",  "skipped"};
constexpr std::array<std::string_view, 9> kPhases = {"pre_validation",   "post_validation", "pre_source_prep",
                                                     "post_source_prep", "pre_container",   "steps",
                                                     "post_container",   "on_error",        "cleanup"};

template <class E, std::size_t N>
std::optional<E> enumerator_of(const std::array<std::string_view, N>& names, std::string_view text) {
  const auto found = std::ranges::find(names, text);
  if (found == names.end()) return std::nullopt;
  return static_cast<E>(found - names.begin());
}

}  // namespace

Duration backoff_after(const Retry& retry, int tries) {
  constexpr Duration kMost = std::chrono::minutes(5);
  Duration wait = std::min(retry.backoff, kMost);
  for (int i = 1; i < tries && wait < kMost; ++i) wait = std::min(wait * 2, kMost);
  return wait;
}

bool is_artifact_name(std::string_view name) {
  constexpr std::size_t kMaxName = 128;
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._- +@(),";
  return !name.empty() && name.size() <= kMaxName && name.front() != '.' && name.front() != '-' &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::string_view to_string(EventKind kind) { return kEventKinds[static_cast<std::size_t>(kind)]; }
std::optional<EventKind> event_kind_of(std::string_view text) { return enumerator_of<EventKind>(kEventKinds, text); }

std::string_view to_string(Outcome outcome) { return kOutcomes[static_cast<std::size_t>(outcome)]; }
std::optional<Outcome> outcome_of(std::string_view text) { return enumerator_of<Outcome>(kOutcomes, text); }

std::string_view to_string(Phase phase) { return kPhases[static_cast<std::size_t>(phase)]; }
std::optional<Phase> phase_of(std::string_view text) { return enumerator_of<Phase>(kPhases, text); }

Ending ending_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::succeeded: return Ending::succeeded;
    case Outcome::cancelled: return Ending::cancelled;
    case Outcome::skipped: return Ending::skipped;
    case Outcome::failed:
    case Outcome::timed_out:
    case Outcome::out_of_memory:
    case Outcome::infra_failed:
    case Outcome::rejected: return Ending::failed;
  }
  return Ending::failed;
}

}  // namespace slipway::model
