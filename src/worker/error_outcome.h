#pragma once

#include "base/error.h"
#include "model/definition.h"

namespace slipway::worker {

/// Whom an attempt blames that never came to run: `rejected` where trying the same again is pointless.
constexpr model::Outcome outcome_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid:
    case ErrorKind::not_found:
    case ErrorKind::denied: return model::Outcome::rejected;
    case ErrorKind::cancelled: return model::Outcome::cancelled;
    default: return model::Outcome::infra_failed;
  }
}

}  // namespace slipway::worker
