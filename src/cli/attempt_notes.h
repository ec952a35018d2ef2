#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/journal_json.h"

namespace slipway::cli {

/// A step as far as it came.
struct StepNote {
  std::string name;
  Time started{};
  std::optional<std::size_t> parent;        ///< number of the step that asked for it
  std::optional<model::StepResult> result;  ///< none: it runs
  std::string reason;                       ///< why it did not succeed, or was skipped
  bool failure_allowed = false;
};

/// What an attempt's journal says besides its output.
struct AttemptNotes {
  std::map<std::uint16_t, StepNote> steps;  ///< that have begun or were skipped, by number
  std::vector<wire::payload::Annotation> annotations;
  std::vector<wire::payload::Notice> notices;  ///< with the code `cache`: what was restored
  std::vector<wire::payload::Artifact> caches_saved;
  std::vector<std::string> triggers;  ///< JSON, as the job gave them
  std::uint64_t left_out = 0;         ///< beyond the limit of a kind
  std::uint64_t unread_bytes = 0;     ///< of the journal, beyond the limit
};

struct NoteLimits {
  std::size_t of_a_kind = 10'000;             ///< as many annotations as a job keeps; of other kinds there are fewer
  std::uint64_t journal_bytes = 256U << 20U;  ///< that are looked through
};

/// Nothing of a journal that cannot be read.
AttemptNotes read_notes(const std::filesystem::path& journal, const NoteLimits& limits = NoteLimits());

/// What is missing, for people.
std::vector<std::string> missing_texts(const AttemptNotes& notes);

/// A service's journal lies beside its job's.
std::filesystem::path service_journal(const std::filesystem::path& journal, std::string_view service);
/// Names of the services that have one, sorted.
std::vector<std::string> services_of(const std::filesystem::path& journal);

}  // namespace slipway::cli
