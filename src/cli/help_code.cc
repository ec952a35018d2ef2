#include "base/text.h"
#include "cli/definitions.h"
#include "definition/codes.h"

namespace slipway::cli {

Result<std::string> help_code(const std::string& code) {
  std::string upper = code;
  std::ranges::transform(upper, upper.begin(),
                         [](char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c); });
  if (const definition::Code* known = definition::find_code(upper); known != nullptr)
    return definition::explain_code(*known);
  std::vector<std::string> codes;
  for (const definition::Code& known : definition::codes()) codes.emplace_back(known.code);
  const auto near = nearest(upper, codes);
  return fail(ErrorKind::not_found, fmt::format("there is no code or command `{}`{}", code,
                                                near ? fmt::format(", did you mean `{}`?", *near) : ""));
}

}  // namespace slipway::cli
