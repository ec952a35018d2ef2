#include "base/paths.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace slipway {

namespace {

std::vector<std::string_view> names_of(std::string_view absolute) {
  std::vector<std::string_view> names;
  for (const std::string_view name : split(absolute, '/')) {
    if (name.empty() || name == ".") continue;
    if (name != "..") {
      names.push_back(name);
    } else if (!names.empty()) {
      names.pop_back();
    }
  }
  return names;
}

}  // namespace

bool lies_below(std::string_view path, std::string_view directory) {
  if (!path.starts_with('/') || !directory.starts_with('/')) return false;
  const std::vector<std::string_view> names = names_of(path), above = names_of(directory);
  return std::ranges::mismatch(names, above).in2 == above.end();
}

bool is_clean_relative(std::string_view path) {
  if (path.empty() || path.find('\0') != std::string_view::npos) return false;
  return std::ranges::none_of(split(path, '/'),
                              [](std::string_view name) { return name.empty() || name == "." || name == ".."; });
}

}  // namespace slipway
