#include "sandbox/ids.h"

#include "base/text.h"

namespace slipway::sandbox {

std::uint32_t job_id(const model::RunAs& run_as) {
  switch (run_as.kind) {
    case model::RunAs::Kind::root: return 0;
    case model::RunAs::Kind::number: return run_as.uid;
    case model::RunAs::Kind::runner:
    case model::RunAs::Kind::source: return kRunnerId;
  }
  return kRunnerId;
}

std::string with_runner(std::string_view text, const char* entries) {
  std::string result = std::string(entries) + '\n';
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty() && !line.starts_with("runner:") && !line.starts_with("source:")) result.append(line).append("\n");
  }
  return result;
}

}  // namespace slipway::sandbox
