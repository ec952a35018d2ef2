#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::definition {

/// What a `command` of Reactorcide runs.
struct CommandWords {
  std::vector<std::string> words;
  bool by_shell = false;   ///< the last word is a script
  std::string shell_sign;  ///< without a shell: a word that a shell would have understood (`&&`), if there is one
  bool quote_is_open = false;
};

/// The rule: several lines are a script for `sh -c` (or `prefix`, itself words); one line with `$NAME` or `${` is one
/// for `sh -c`; any other line is split at blanks, quotes respected, and run without a shell: `a && b` is one program
/// with the arguments `&&` and `b`.
CommandWords command_words(std::string_view command, std::string_view prefix);

/// As a shell would split a line: '...' as it is, "..." with \" and \\, a backslash keeps a sign.
CommandWords split_words(std::string_view line);

/// The script in `runnerlib run --job-command SCRIPT` and `python -m runnerlib.cli run ...`: what the runner does is
/// done by Slipway. None: it is no such command, or has other flags.
std::optional<std::string> unwrapped_script(const std::vector<std::string>& words);

}  // namespace slipway::definition
