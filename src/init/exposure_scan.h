#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "journal/reader.h"
#include "secrets/masker.h"

namespace slipway::init {

/// Looks for a value that was registered late in what the journal holds already, a piece at a time, so that output is
/// not stalled by a long journal. The journal is never rewritten: who finds it tells.
class ExposureScan {
 public:
  /// `journal` must be readable. Records behind `upto` were masked with the value.
  static Result<ExposureScan> begin(int journal, std::string_view value, std::uint64_t upto);

  enum class State { more, done };
  /// Reads about 4 MiB. An error ends the scan.
  Result<State> go_on();
  /// Steps in whose output the value stands.
  const std::vector<std::uint16_t>& exposed() const { return exposed_; }

 private:
  ExposureScan(journal::Reader reader, std::string_view value, std::uint64_t upto);
  journal::Reader reader_;
  std::unique_ptr<secrets::SecretSet> secret_;
  std::map<std::pair<std::uint16_t, journal::RecordType>, secrets::MaskingStream> streams_;
  std::vector<std::uint16_t> exposed_;
  std::uint64_t upto_;
};

}  // namespace slipway::init
