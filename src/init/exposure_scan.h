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

  /// Output that waits outside the journal for the end of its step, in order, all of it before the first `go_on`.
  void look_at_tail(std::uint16_t step, journal::RecordType type, std::string_view bytes);

  enum class State { more, done };
  /// Reads about 4 MiB. An error ends the scan.
  Result<State> go_on();
  /// Steps in whose output, or in whose other records, the value stands.
  const std::vector<std::uint16_t>& exposed() const { return exposed_; }

 private:
  ExposureScan(journal::Reader reader, std::string_view value, std::uint64_t upto);
  journal::Reader reader_;
  std::unique_ptr<secrets::SecretSet> secret_;
  using Streams = std::map<std::pair<std::uint16_t, journal::RecordType>, secrets::MaskingStream>;
  using Key = Streams::key_type;
  void look_at(const journal::Record& record);
  void join_tails();
  void feed(Streams& streams, std::uint16_t step, journal::RecordType type, std::string_view bytes);
  void finish(Streams& streams);
  void note(std::uint16_t step, const secrets::MaskingStream& stream);
  Streams streams_, tails_;
  std::map<Key, std::string> tail_starts_;  // as much as a value that begins in the journal may end in
  std::size_t longest_;                     // no form of the value is longer
  std::vector<std::uint16_t> exposed_;
  std::uint64_t upto_;
};

}  // namespace slipway::init
