#include "source/fetch_tool.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include <sodium.h>

#include "base/text.h"
#include "source/git_command.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

}  // namespace

Result<std::string> run_tool(Runner& runner, const ToolCall& call, const os::CallLimit& limit) {
  SW_TRY(os::CommandOutput output, runner.run(call, limit));
  if (output.exit_code == 0) return std::move(output.out);
  const std::string tool = fs::path(call.argv.front()).filename().string();
  return std::unexpected(tool_error(tool, output.exit_code, output.err));
}

Address address_of(const std::string& location) {
  const RemoteUrl url = RemoteUrl::parse(location);
  return {url.clean, url_parts(url.clean), {url.user, url.password}};
}

Result<fs::path> local_path_of(const Address& address) {
  const std::string path = address.parts.scheme.empty() ? address.clean : address.parts.path;
  std::error_code error;
  fs::path whole = fs::canonical(path, error);
  if (error) return fail(ErrorKind::not_found, "there is no " + printable(path, Colour::strip));
  return whole;
}

bool is_archive_name(std::string_view location) {
  if (location.find("://") != std::string_view::npos) location = location.substr(0, location.find_first_of("?#"));
  constexpr std::string_view kEndings[] = {".tar",  ".tar.gz",  ".tgz",  ".tar.xz",  ".txz", ".tar.zst",
                                           ".tzst", ".tar.bz2", ".tbz2", ".tar.lz4", ".zip"};
  return std::ranges::any_of(kEndings, [&](std::string_view ending) { return location.ends_with(ending); });
}

Result<std::string> sha256_of(int fd) {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  constexpr std::size_t kPart = 1U << 20U;
  const auto buffer = std::make_unique<unsigned char[]>(kPart);
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(fd, buffer.get(), kPart, at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading an archive");
    if (got == 0) break;
    crypto_hash_sha256_update(&state, buffer.get(), static_cast<std::size_t>(got));
    at += got;
  }
  unsigned char digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256_final(&state, digest);
  return "sha256:" + hex_of({reinterpret_cast<const char*>(digest), sizeof digest});
}

std::string hex_of(std::string_view bytes) {
  std::string text(2 * bytes.size() + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  text.pop_back();
  return text;
}

std::string sha256_hex(std::string_view text) {
  unsigned char digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(digest, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  return hex_of({reinterpret_cast<const char*>(digest), sizeof digest});
}

std::string curl_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    if (c != '\n' && c != '\r') quoted.push_back(c);
  }
  return quoted + "\"";
}

}  // namespace slipway::source
