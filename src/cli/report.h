#pragma once

#include <filesystem>

#include "cli/history.h"
#include "cli/options.h"
#include "cli/runs.h"
#include "os/call_limit.h"

namespace slipway::cli {

/// A run as one HTML page that needs nothing but itself: no request leaves it, and its content security policy allows
/// none. Status, graph, timeline, jobs, tests, annotations and artifacts are plain HTML; a script (web/report/) shows
/// the logs, which lie in the page compressed in pieces and are unpacked when they come into sight.
///
/// Everything in it that a job said is hostile: HTML is escaped, logs are JSON and base64 that become text nodes.
/// Returns what to print: the file's name, or with the output `-` nothing, the page being on standard output.
/// Memory is flat but for the index of pieces and folds. At most kMostLogBytes of log; what is beyond is said.
inline constexpr std::uint64_t kMostLogBytes = 2ULL << 30U;
Result<std::string> write_report(const RunsReportOptions& options, RunHistory& history,
                                 const std::filesystem::path& working_dir, const RunsStyle& style,
                                 const os::CallLimit& limit);

}  // namespace slipway::cli
