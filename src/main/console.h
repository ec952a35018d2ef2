#pragma once

#include <string>

#include "base/error.h"

/// What every command of `slipway` ends with.
namespace slipway::program {

/// Shows the error on standard error; the exit code that belongs to its kind.
int complain(const Error& error);

/// The text on standard output, or the error as above; the exit code of the process.
int print(const Result<std::string>& text);

}  // namespace slipway::program
