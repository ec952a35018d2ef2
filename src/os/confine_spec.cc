#include "os/confine_spec.h"

#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace slipway::os {

namespace {

void put(std::string& text, std::string_view field) { text += fmt::format("{}:{}", field.size(), field); }

std::optional<std::string> take(std::string_view& text) {
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  const auto used = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || used >= text.size() || *end != ':' || text.size() - used - 1 < length) {
    return std::nullopt;
  }
  std::string field(text.substr(used + 1, length));
  text.remove_prefix(used + 1 + length);
  return field;
}

Result<void> apply(ConfineOrder& order, const std::string& kind, std::string name, std::string value) {
  Confinement& confinement = order.confinement;
  if (kind == "read" || kind == "write") {
    using Access = Confinement::Path::Access;
    confinement.paths.push_back({std::move(name), kind == "read" ? Access::read : Access::write});
  } else if (kind == "home") {
    confinement.home.push_back({std::move(name), std::move(value)});
  } else if (kind == "network") {
    confinement.network = Confinement::Network::host;
  } else if (kind == "file-bytes") {
    std::from_chars(value.data(), value.data() + value.size(), confinement.most_file_bytes);
  } else {
    return fail(ErrorKind::internal, "unknown field " + kind);
  }
  return {};
}

}  // namespace

std::string encode_confinement(const Confinement& confinement, const std::string& working_dir) {
  std::string text;
  put(text, working_dir);
  const auto add = [&](std::string_view kind, std::string_view name, std::string_view value) {
    put(text, kind);
    put(text, name);
    put(text, value);
  };
  for (const Confinement::Path& path : confinement.paths) {
    add(path.access == Confinement::Path::Access::read ? "read" : "write", path.path, "");
  }
  for (const Confinement::File& file : confinement.home) add("home", file.name, file.text);
  if (confinement.network == Confinement::Network::host) add("network", "", "");
  if (confinement.most_file_bytes > 0) add("file-bytes", "", fmt::format("{}", confinement.most_file_bytes));
  return text;
}

Result<ConfineOrder> decode_confinement(std::string_view text) {
  ConfineOrder order;
  auto working_dir = take(text);
  if (!working_dir) return fail(ErrorKind::internal, "a confinement that cannot be read");
  order.working_dir = std::move(*working_dir);
  while (!text.empty()) {
    const auto kind = take(text);
    auto name = take(text);
    auto value = take(text);
    if (!kind || !name || !value) return fail(ErrorKind::internal, "a confinement that cannot be read");
    SW_CHECK(apply(order, *kind, std::move(*name), std::move(*value)));
  }
  return order;
}

}  // namespace slipway::os
