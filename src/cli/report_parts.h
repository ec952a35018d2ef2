#pragma once

#include <string>
#include <vector>

#include "cli/attempt_notes.h"
#include "cli/entry_state.h"
#include "cli/history.h"
#include "cli/runs.h"
#include "cli/sink.h"
#include "cli/step_tree.h"
#include "cli/terminal_text.h"

/// The parts of a run's report (report.h). Private to it.
namespace slipway::cli::report {

/// A log on the page: one attempt, or a service of one.
struct Log {
  const JobEntry* job = nullptr;
  const AttemptEntry* attempt = nullptr;
  std::string service;  ///< empty: the attempt itself
  std::filesystem::path journal;
  std::string name;
  AttemptNotes notes;
  std::vector<ShownStep> steps;  ///< points into `attempt` and `notes`
  std::size_t index = 0;         ///< in the script's list
};

struct Logs {
  std::vector<Log> shown;
  std::size_t left_out = 0;
};

/// Text within HTML, also within a quoted attribute: nothing in it is markup; control characters are shown.
std::string html(std::string_view text);

std::string base64(std::string_view bytes);

/// Of a log's owner: a service ends as its last step did.
Mark mark_of_log(const Log& log);
/// A state as a class of the style sheet: succeeded, failed, warned, busy or idle.
std::string_view class_of(Mark mark);
/// `<i class="mark failed">X</i>`.
std::string mark_html(Mark mark);

/// The jobs and what they depend on as an SVG, instances of one definition as one node. Empty for a single node and
/// for more than can be looked at.
std::string graph_svg(const RunEntry& run);

/// Everything that needs no script, up to where the pieces of logs follow.
std::string page_head(const RunEntry& run, const std::vector<TestEntry>& tests, const Logs& logs, Time now);
/// What closes the page: the script. `index` is JSON.
std::string page_end(const std::string& index);

/// Writes the pieces of a log and appends its entry of the index: `bytes_left` goes down by what was taken.
Result<void> write_log(const Log& log, Sink& sink, std::size_t& pieces, std::uint64_t& bytes_left, std::string& index,
                       const os::CallLimit& limit);

}  // namespace slipway::cli::report
