#pragma once

#include <string>

#include "cli/terminal_text.h"
#include "wire/log_marks.h"

namespace slipway::cli {

/// How people see a line that is a mark of another system (wire/log_marks.h), instead of as it was printed: a group's
/// header `▸ Build`, `error: main.c:12: unused`, `debug: text`. Printable but for what `append_printable` is for.
/// Nothing: it is not shown at all (a group's end).
std::optional<std::string> mark_text(const wire::LogMark& mark, std::string_view printed, bool colour);

/// A group's header, as above.
std::string group_text(std::string_view name, bool colour);

/// Of a `group` record into the groups of its step; the header to show, if it began one.
std::optional<std::string> take_group(std::string_view payload, wire::Folds& folds, bool colour);

}  // namespace slipway::cli
