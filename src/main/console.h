#pragma once

#include <string>

#include "base/error.h"
#include "cli/options.h"
#include "main/signals.h"

/// What every command of `slipway` ends with.
namespace slipway::program {

/// Shows the error on standard error; the exit code that belongs to its kind.
int complain(const Error& error);

/// As above, for a command that signals end: theirs is the exit code then. With --json the error is on standard output
/// too, as its last line.
int give_up(const Error& error, const cli::CommonOptions& common, const SignalWatch& signals);
/// For a program that was told in another way what is wrong.
void print_error_line(const Error& error, int exit_code);

/// `code`; where that is "cancelled" and a signal came: 128 and its number.
int after_signals(int code, const SignalWatch& signals);

/// The text on standard output, or the error as above; the exit code of the process.
int print(const Result<std::string>& text);

}  // namespace slipway::program
