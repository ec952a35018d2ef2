#include "sandbox/ids.h"

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

}  // namespace slipway::sandbox
