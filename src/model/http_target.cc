#include "model/http_target.h"

#include <algorithm>
#include <charconv>

namespace slipway::model {

std::optional<HttpTarget> http_target(std::string_view url) {
  constexpr int kMostPort = 65'535;
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  HttpTarget target;
  const auto slash = url.find('/');
  if (slash != std::string_view::npos) target.path = url.substr(slash);
  target.host = url.substr(0, slash);
  const auto colon = target.host.rfind(':');
  if (colon != std::string::npos) {
    const char* const end = target.host.data() + target.host.size();
    const auto [rest, error] = std::from_chars(target.host.data() + colon + 1, end, target.port);
    if (error != std::errc() || rest != end || target.port < 1 || target.port > kMostPort) return std::nullopt;
  }
  const auto is_plain = [](char c) { return c > ' ' && c < '\x7f'; };
  if (target.host.empty() || colon == 0 || !std::ranges::all_of(url, is_plain)) return std::nullopt;
  return target;
}

}  // namespace slipway::model
