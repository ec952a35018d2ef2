#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "model/notices.h"

/// What a person or a program sees while a run goes on. A view is told by the engine's notices which journal grew and
/// how far; steps and output it reads from those files itself, on its own thread.
namespace slipway::cli {

enum class ViewKind {
  live,   ///< a terminal that can move its cursor: one line a job, tail of the active log
  plain,  ///< `job | text` lines: pipes, files, dumb terminals
  json,   ///< one JSON object a line, as docs/json.md says
  quiet,  ///< the summary of what failed, nothing else
};

struct ViewOptions {
  ViewKind kind = ViewKind::plain;
  int fd = 1;  ///< where it writes; not owned. SIGPIPE must be ignored
  bool colour = false;
  std::filesystem::path journal_root;  ///< the state directory, which journal paths of notices are relative to
  bool several_runs = false;           ///< jobs are named with their workflow
  std::string program = "slipway";     ///< for commands in hints
  std::string follow_command;          ///< what would also have run what jobs ask for; empty: this does
  /// Nobody reads what is written any more (`slipway run | head`); called once, on the view's thread. May be null.
  std::function<void()> on_reader_gone;
  /// What the program ends with where a run ends with this code: a signal has one of its own. May be null: the same.
  std::function<int(int)> program_exit_code;
};

/// Which view fits descriptor `fd`: --json, --quiet, then whether it is a terminal and $TERM is not `dumb`.
ViewKind choose_view(const CommonOptions& options, int fd, const std::string& term);
/// NO_COLOR, CLICOLOR_FORCE, --color, and whether `fd` is a terminal.
bool choose_colour(ColourChoice choice, int fd, const std::map<std::string, std::string>& environment);

/// The job waits for a person: shown also where only failures are, and behind all that the job printed before.
inline constexpr std::string_view kHeldRemark = "held";

/// What was done for a job besides its steps and is not in its journal: a cache that was saved or
/// removed, what became of a service.
struct Remark {
  RunId run;
  std::string job;
  int attempt = 1;
  std::string code;  ///< `cache`, `service`, ... or kHeldRemark
  std::string text;
  Time at{};
};

class View : public model::Listener {
 public:
  /// A line from Slipway itself (`stopping: press Ctrl-C again to stop at once`). Any thread; never blocks: the line is
  /// dropped while our output is stuck.
  virtual void say(std::string text) = 0;
  /// The same of one job. Any thread.
  virtual void tell(Remark remark) = 0;
  /// Shows all that is left and ends its thread; puts the terminal back as it was. Idempotent.
  /// Errors: `unavailable`, the reader of our output is gone (EPIPE) or its disk is full.
  virtual Result<void> close() = 0;
};

/// `on_notice` blocks only while 65,536 notices wait, of which progress of one attempt counts as one. The view closes
/// by itself when destroyed.
Result<std::unique_ptr<View>> make_view(ViewOptions options);

}  // namespace slipway::cli
