#include "init/trigger_lines.h"

#include <algorithm>

namespace slipway::init {

namespace {

constexpr std::string_view kPrefix = "::slipway-trigger::";
constexpr std::size_t kMostBytes = 1U << 20U;

}  // namespace

void TriggerLines::feed(std::string_view bytes, const Found& found) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (!is_other_ && line_.size() + part.size() > kPrefix.size() + kMostBytes) is_other_ = true;
    if (!is_other_) {
      line_ += part;
      const std::size_t known = std::min(line_.size(), kPrefix.size());
      is_other_ = std::string_view(line_).substr(0, known) != kPrefix.substr(0, known);
    }
    if (is_other_) line_.clear();
    if (end == std::string_view::npos) return;
    end_line(found);
    bytes.remove_prefix(end + 1);
  }
}

void TriggerLines::finish(const Found& found) { end_line(found); }

void TriggerLines::end_line(const Found& found) {
  std::string_view json = line_;
  if (json.ends_with('\r')) json.remove_suffix(1);
  if (!is_other_ && json.size() > kPrefix.size()) found(json.substr(kPrefix.size()));
  line_.clear();
  is_other_ = false;
}

}  // namespace slipway::init
