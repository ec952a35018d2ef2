#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "journal/record.h"

namespace slipway::cli {

/// Cuts a stream's bytes into lines, without copying what lies whole in one piece. A line longer than
/// journal::kLongestLine is split, but what a carriage return has drawn over is dropped first.
class LineSplitter {
 public:
  /// Calls `line(std::string_view)` for every line that ends in `bytes`.
  template <class F>
  void add(std::string_view bytes, F&& line) {
    while (!bytes.empty()) {
      const void* found = std::memchr(bytes.data(), '\n', bytes.size());
      const std::size_t end =
          found == nullptr ? bytes.size() : static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
      const bool ends = found != nullptr;
      take(bytes.substr(0, end), ends, line);
      bytes.remove_prefix(ends ? end + 1 : end);
    }
  }

  /// The stream has ended: what is left is a line.
  template <class F>
  void finish(F&& line) {
    if (!open_.empty()) line(std::string_view(open_));
    open_.clear();
  }

  bool is_open() const { return !open_.empty(); }

 private:
  template <class F>
  void take(std::string_view part, bool ends, F& line) {
    if (ends && open_.empty() && part.size() <= journal::kLongestLine) return line(part);
    open_.append(part);
    if (open_.size() > journal::kLongestLine) {
      const std::size_t drawn_over = open_.rfind('\r', open_.size() - 2);
      if (drawn_over != std::string::npos) open_.erase(0, drawn_over + 1);
    }
    std::string_view rest = open_;
    while (rest.size() > journal::kLongestLine) {
      line(rest.substr(0, journal::kLongestLine));
      rest.remove_prefix(journal::kLongestLine);
    }
    if (ends) {
      line(rest);
      open_.clear();
    } else if (rest.size() != open_.size()) {
      open_ = std::string(rest);
    }
  }

  std::string open_;
};

}  // namespace slipway::cli
