#pragma once

#include <string>
#include <vector>

namespace slipway::cli {

/// note: nothing to put right, of which there may be more to know.
enum class Health { note, good, degraded, broken };

/// One thing that main looked at.
struct Check {
  std::string name;  ///< `user namespaces`
  Health health = Health::good;
  std::string detail;  ///< what was found
  std::string fix;     ///< what to do; empty when good
};

std::string doctor_text(const std::vector<Check>& checks, bool colour);
/// `{"checks": [{"name", "health", "detail", "fix"}], "health": ...}`
std::string doctor_json(const std::vector<Check>& checks);
/// The worst of all; `broken` makes `slipway doctor` end with 1.
Health worst_of(const std::vector<Check>& checks);

}  // namespace slipway::cli
