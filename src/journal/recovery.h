#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "journal/writer.h"
#include "os/fd.h"

namespace slipway::journal {

/// What an init that died left behind, made whole again as far as it can be.
struct Recovered {
  Writer writer;                          ///< positioned behind everything, the ring included
  std::uint64_t cut_bytes = 0;            ///< of a torn last record
  bool finished = false;                  ///< init came to its end: nothing needs to be added
  std::vector<std::uint16_t> open_steps;  ///< started and not finished
};

/// For the host, once the sandbox's pid namespace is gone: there must be no other writer. Cuts the torn tail and
/// appends the ring (`ring` may be empty or none). A journal without a header (init never came to write) is begun.
Result<Recovered> recover(os::Fd journal, os::Fd ring);

/// `recover`, then `attempt_finished` with this payload unless there is one, then close. Doing it twice is harmless.
Result<void> finish_after_loss(os::Fd journal, os::Fd ring, Time now, std::string_view attempt_finished);

}  // namespace slipway::journal
