#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "wire/journal_json.h"

namespace slipway::cli {

/// A step that has begun and not ended.
struct StepRunning {
  std::string name;
  Time started{};
};

/// What an attempt's journal says besides its output.
struct AttemptNotes {
  std::vector<model::StepResult> steps_done;           ///< in the order of their ends
  std::map<std::uint16_t, StepRunning> steps_running;  ///< by index
  std::vector<wire::payload::Annotation> annotations;
  std::vector<wire::payload::Notice> notices;  ///< with the code `cache`: what was restored
  std::vector<wire::payload::Artifact> caches_saved;
  std::vector<std::string> triggers;  ///< JSON, as the job gave them
  bool is_cut = false;                ///< there is more
};

/// At most 1,000 of all kinds besides the steps, from the first 256 MiB of the journal; nothing of one that cannot be
/// read.
AttemptNotes read_notes(const std::filesystem::path& journal);

/// A service's journal lies beside its job's.
std::filesystem::path service_journal(const std::filesystem::path& journal, std::string_view service);

}  // namespace slipway::cli
