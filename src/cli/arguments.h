#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/command_table.h"

namespace slipway::cli {

/// What was written, by OptionRow::key(); checked for form (known, arity, choices), not for meaning.
class Arguments {
 public:
  const CommandRow* command = nullptr;  ///< null: `slipway` alone, with root options
  std::string group;                    ///< `runs`, where none of its commands was named
  std::map<std::string, std::vector<std::string>, std::less<>> values;

  bool has(std::string_view key) const { return values.contains(key); }
  /// The last value given; empty where there is none.
  std::string one(std::string_view key) const;
  std::vector<std::string> all(std::string_view key) const;
};

/// For the name of a command that is one inside of a job only: where it is told of. Empty for any other name.
std::string job_command_hint(std::string_view name);

/// Finds the command and reads its arguments by a parser built of its rows alone. Errors: `invalid`, for people.
Result<Arguments> read_arguments(const std::vector<std::string>& words);

}  // namespace slipway::cli
