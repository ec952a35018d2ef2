#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "wire/journal_json.h"

namespace slipway::cli {

/// What an attempt's journal says besides its steps and their output.
struct AttemptNotes {
  std::vector<wire::payload::Annotation> annotations;
  std::vector<wire::payload::Notice> notices;  ///< with the code `cache`: what was restored
  std::vector<wire::payload::Artifact> caches_saved;
  std::vector<std::string> triggers;  ///< JSON, as the job gave them
  bool is_cut = false;                ///< there is more
};

/// At most 1,000 of all kinds, from the first 256 MiB of the journal; nothing of one that cannot be read.
AttemptNotes read_notes(const std::filesystem::path& journal);

}  // namespace slipway::cli
