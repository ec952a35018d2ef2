#pragma once

#include <filesystem>
#include <memory>

#include "base/error.h"
#include "journal/reader.h"

namespace slipway::cli {

/// A journal that may still grow. `not_found`, and as journal::Reader::open.
Result<std::unique_ptr<journal::Source>> open_journal(const std::filesystem::path& path);

}  // namespace slipway::cli
