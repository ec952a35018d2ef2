#pragma once

#include <stop_token>

#include "main/local_run.h"
#include "wire/visits.h"

/// What people do with jobs that run now, in this process of `slipway` or another of the same user.
namespace slipway::program {

/// The command in the sandbox of one job of the process `owner`, and its exit code. Without a terminal where one is
/// wanted: `invalid`.
Result<int> look_into(const Surroundings& around, const std::string& owner, const wire::LiveJob& job,
                      const std::vector<std::string>& command, bool terminal, const std::stop_token& stop);
/// Says how a job that is held goes on.
Result<void> resume(const Surroundings& around, const std::string& owner, const wire::LiveJob& job, wire::Resume how);
/// `invalid`: there is none to give a command a terminal with.
Result<void> check_terminal(const Surroundings& around);

/// `slipway attach`: the exit code of the command, 5 when the sandbox went first.
int attach(const Surroundings& around, const cli::AttachOptions& options, const SignalWatch& signals);
/// `slipway continue`, `retry` and `abort`.
int resume(const Surroundings& around, const cli::ResumeOptions& options);
/// Runs that can be attached to, one a line, for completions.
Result<std::string> live_words(const Surroundings& around);

}  // namespace slipway::program
