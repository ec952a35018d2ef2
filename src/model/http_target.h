#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace slipway::model {

/// Where the HTTP probe of a service asks: always in the service's own sandbox, whatever `host` says.
struct HttpTarget {
  std::string host;  ///< for the Host header
  int port = 80;
  std::string path = "/";
};
/// `http://HOST[:PORT][/PATH]`; no value: it is not one.
std::optional<HttpTarget> http_target(std::string_view url);

}  // namespace slipway::model
