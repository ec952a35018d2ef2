#pragma once

#include <string>
#include <string_view>

#include "base/text.h"
#include "model/definition.h"

/// Text on its way to a terminal, and the shapes and colours of states.
namespace slipway::cli {

/// As slipway::printable, appended to `out`: built for log lines, most of which are plain ASCII (over 1 GB/s).
void append_printable(std::string& out, std::string_view text, Colour colour);

/// What a terminal shows of a line with carriage returns: each draws over what stands there, character by character.
/// A view of `line`, or of `drawn` where something was drawn over.
std::string_view visible_line(std::string_view line, std::string& drawn);

/// Columns that printable text takes: SGR sequences and combining marks none, wide characters two.
std::size_t display_width(std::string_view printable);
/// The beginning of `printable` that fits into `columns`, with `…` where something was cut and colours reset.
std::string fit(std::string_view printable, std::size_t columns);

enum class Mark {
  pending,
  blocked,
  running,
  succeeded,
  failed,
  allowed_failure,
  infra_failed,
  timed_out,
  cancelled,
  skipped
};
Mark mark_of(model::Outcome outcome);

/// Shape and, if wanted, colour: `✓`, never colour alone.
std::string symbol(Mark mark, bool colour);
/// `\x1b[32m` and so on; empty without colour.
std::string_view colour_of(Mark mark, bool colour);
std::string_view reset(bool colour);
std::string_view bold(bool colour);
std::string_view dim(bool colour);

/// `timed out`, `out of memory`: for people.
std::string outcome_text(model::Outcome outcome);
/// `exit 2`, `killed by signal 9`; empty for 0, and where the outcome says why it was ended.
std::string exit_text(model::Outcome outcome, int exit_code);
/// `1 job`, `2 jobs`.
std::string counted(std::size_t count, std::string_view noun);

}  // namespace slipway::cli
