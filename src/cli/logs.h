#pragma once

#include "base/error.h"
#include "cli/history.h"
#include "cli/options.h"
#include "cli/sink.h"
#include "os/call_limit.h"

namespace slipway::cli {

struct LogsStyle {
  bool json = false;
  bool colour = false;
};

/// Prints the lines asked for: job by job and each in the order in which its lines ended. In front of a line stands
/// what was not said on the command line: `JOB | STEP | text`, with a job given `STEP | text`, with a step too only
/// `text`.
/// `--follow` goes on until the run has ended (jobs are mixed then) or `limit.stop` fires, which is no error.
/// Memory is flat, but for `--tail`. Errors: `not_found` with the nearest job or step; `invalid` pattern.
Result<void> show_logs(const LogsOptions& options, RunHistory& history, Sink& sink, const LogsStyle& style,
                       const os::CallLimit& limit);

}  // namespace slipway::cli
