#include "model/wording.h"

namespace slipway::model {

std::string_view past_tense(Outcome outcome) {
  switch (outcome) {
    case Outcome::failed: return "failed";
    case Outcome::timed_out: return "timed out";
    case Outcome::out_of_memory: return "ran out of memory";
    case Outcome::infra_failed: return "could not be run";
    case Outcome::cancelled: return "was cancelled";
    case Outcome::skipped: return "was skipped";
    case Outcome::rejected: return "was rejected";
    case Outcome::succeeded: return "succeeded";
  }
  return "failed";
}

}  // namespace slipway::model
