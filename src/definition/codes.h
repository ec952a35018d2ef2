#pragma once

#include <span>
#include <string>
#include <string_view>

namespace slipway::definition {

/// Everything a file, a plan or a run can be refused for. A code never changes its meaning and is never used again.
/// E0xx: the definition; E1xx: planning and what is allowed or supported here; E2xx: running (sandbox, source).
struct Code {
  std::string_view code;
  std::string_view title;
  std::string_view explanation;
  std::string_view wrong;  ///< an example; may be empty
  std::string_view right;
};

/// Sorted by code.
std::span<const Code> codes();
/// Null when there is none.
const Code* find_code(std::string_view code);
/// What `slipway help E012` prints.
std::string explain_code(const Code& code);
/// docs/errors.md.
std::string errors_markdown();

}  // namespace slipway::definition
