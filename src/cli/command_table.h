#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Every command and flag, once: the parser, `--help`, completions and the documentation come from here.
namespace slipway::cli {

enum class Arity { flag, one, many };

/// What a shell may offer for a value.
enum class Completes { nothing, file, directory, choices, job, run, image, code, step, breakpoint, live };

struct OptionRow {
  std::string_view names;  ///< `-j,--max-parallel`; a positional has no dash: `FILE`
  Arity arity = Arity::flag;
  std::string_view value;  ///< `N`; empty for flags
  std::string_view doc;
  Completes completes = Completes::nothing;
  std::string_view choices;  ///< `text|dot|json`
  bool required = false;
  std::string_view setting;  ///< the row of the settings table it sets

  bool is_positional() const { return !names.starts_with('-'); }
  /// `--max-parallel`, or the positional's name: the key of what was parsed.
  std::string_view key() const;
  std::string_view short_name() const;  ///< `-j`, or empty
};

/// The positional that takes all that stands behind `--`.
inline constexpr std::string_view kCommandBehindDashes = "COMMAND";

struct CommandRow {
  std::string_view name;  ///< `run`, `runs ls`
  std::string_view doc;
  std::string_view examples;                        ///< lines; empty: none
  std::vector<std::span<const OptionRow>> options;  ///< own ones first
};

/// A word before commands of its own; alone it is `NAME ls`.
struct GroupRow {
  std::string_view name;  ///< `runs`
  std::string_view doc;
};

std::span<const GroupRow> command_groups();
/// In the order of `slipway --help`.
const std::vector<CommandRow>& command_rows();
/// Flags of every command, also allowed before its name.
std::span<const OptionRow> common_options();
/// Flags of `slipway` itself.
std::span<const OptionRow> root_options();

const CommandRow* find_command(std::string_view name);

/// `slipway --help` and `slipway COMMAND --help`.
std::string root_help();
std::string command_help(const CommandRow& command);

}  // namespace slipway::cli
