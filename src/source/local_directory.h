#pragma once

#include <filesystem>
#include <optional>

#include "base/error.h"
#include "source/source.h"

namespace slipway::source {

/// The directory or file of this machine that the location names, of a spec as `with_kind` leaves it and read as its
/// kind reads it: a path (relative to the process's directory), a `file:` URL or one without a host, also behind
/// `git+`. Canonical as far as it is there. None: it is of another machine.
/// Errors: it is of this one, and cannot be looked at: who asks in order to guard something takes that for the worst.
Result<std::optional<std::filesystem::path>> local_directory(const SourceSpec& spec);

}  // namespace slipway::source
