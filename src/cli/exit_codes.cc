#include "cli/exit_codes.h"

namespace slipway::cli {

int exit_code_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::invalid:
    case ErrorKind::not_found:
    case ErrorKind::conflict: return kExitUsage;
    case ErrorKind::denied: return kExitNotAllowed;
    case ErrorKind::timeout: return kExitTimedOut;
    case ErrorKind::cancelled: return kExitCancelled;
    case ErrorKind::exhausted:
    case ErrorKind::unavailable:
    case ErrorKind::internal: return kExitInfrastructure;
  }
  return kExitInfrastructure;
}

}  // namespace slipway::cli
