#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "os/call_limit.h"
#include "source/remote_access.h"
#include "source/runner.h"

/// What the sources besides git have in common.
namespace slipway::source {

/// Runs a tool whose exit code 0 alone is success. Errors: its own words without credentials, with a kind:
/// `not_found`, `denied`, `unavailable`, else `internal`; `unavailable` where it is not installed.
Result<std::string> run_tool(Runner& runner, const ToolCall& call, const os::CallLimit& limit);

/// A location's host and path, its login apart. Messages and records use `clean`.
struct Address {
  std::string clean;
  UrlParts parts;
  Login login;  ///< empty: none in the URL
};
Address address_of(const std::string& location);

/// Of a `file:` URL or a plain path. Errors: `not_found`.
Result<std::filesystem::path> local_path_of(const Address& address);

/// `.tar`, `.tar.gz`, `.tgz`, `.tar.xz`, `.txz`, `.tar.zst`, `.tzst`, `.tar.bz2`, `.tbz2`, `.zip`; also with `?query`.
bool is_archive_name(std::string_view location);

/// `sha256:HEX` of a file.
Result<std::string> sha256_of(int fd);
std::string sha256_hex(std::string_view text);
std::string hex_of(std::string_view bytes);

/// As `curl` reads a value in its configuration.
std::string curl_quoted(std::string_view text);

}  // namespace slipway::source
