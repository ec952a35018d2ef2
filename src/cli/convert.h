#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "cli/options.h"
#include "cli/style.h"

namespace slipway::cli {

/// What `slipway convert` says: the files on standard output, what there is to know of them on standard error.
struct ConvertAnswer {
  std::string text, told;
  int exit_code = 0;
};

/// Files of other dialects in our language: on standard output, or as files that were not there before.
/// Errors: `not_found`, `conflict` for a file that is there (nothing was written then), `exhausted`.
Result<ConvertAnswer> convert(const ConvertOptions& options, const std::filesystem::path& working_dir,
                              const std::filesystem::path& project, const Style& style);

}  // namespace slipway::cli
