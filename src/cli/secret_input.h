#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/prompt.h"
#include "wire/leash.h"

/// Secrets that a person gives to a run. Values live in memory only, and are in no message.
namespace slipway::cli {

inline constexpr std::size_t kMaxSecretFile = 1U << 20U;
inline constexpr std::size_t kMaxSecrets = 1'000;

struct SecretsGiven {
  std::vector<wire::SecretValue> values;  ///< one a name
  std::vector<std::string> warnings;      ///< a file that others may read
};

/// `names` from `environment`, else asked for; then what `file` holds (empty: none). A name given both ways is taken
/// from `names`. Errors: `invalid` with names and lines, never with values.
Result<SecretsGiven> read_secrets(const std::vector<std::string>& names, const std::filesystem::path& file,
                                  const std::map<std::string, std::string>& environment, Prompt& prompt);

/// Dotenv: `NAME=value`, `export NAME=value`, `#` comments; a value in '...' is taken as it is, in "..." with
/// \n \t \" \\, and both may go over several lines. Or one JSON object of texts.
Result<std::vector<wire::SecretValue>> parse_secrets(std::string_view text);

}  // namespace slipway::cli
