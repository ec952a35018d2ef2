#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace slipway::init {

/// Finds the lines `::slipway-trigger::JSON` in a stream, however it is cut. Holds no other line; one over 1 MiB is
/// passed over.
class TriggerLines {
 public:
  using Found = std::function<void(std::string_view json)>;
  void feed(std::string_view bytes, const Found& found);
  /// The stream has ended: its last line needs no newline.
  void finish(const Found& found);

 private:
  void end_line(const Found& found);

  std::string line_;  // so far; empty once the line is known to be another
  bool is_other_ = false;
};

}  // namespace slipway::init
