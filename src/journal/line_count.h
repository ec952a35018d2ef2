#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "journal/record.h"

namespace slipway::journal {

/// Counts lines and bytes a step, record by record. Writer and readers share it, so that a line has one number.
class LineCount {
 public:
  LineCount() = default;
  explicit LineCount(const Checkpoint& from);

  /// Takes in the record that stands at `offset`.
  void add(const Record& record, std::uint64_t offset);

  std::vector<StepCount> steps() const;
  const StepCount* find(std::uint16_t step) const;

 private:
  void add_output(StepCount& count, Stream stream, std::string_view bytes, std::uint64_t offset);
  static void close_lines(StepCount& count);

  std::map<std::uint16_t, StepCount> steps_;
};

/// Newlines in `bytes`.
std::uint64_t count_newlines(std::string_view bytes);

}  // namespace slipway::journal
