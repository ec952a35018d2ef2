#include "sandbox/docker/image_files.h"

#include <charconv>

namespace slipway::sandbox::docker {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kMostFile = 4U << 20U;
constexpr std::size_t kSizeAt = 124, kSizeDigits = 11, kTypeAt = 156;

}  // namespace

Result<std::string> file_in_tar(std::string_view archive) {
  for (std::size_t at = 0; archive.size() - at >= kBlock;) {
    const std::string_view header = archive.substr(at, kBlock);
    std::size_t size = 0;
    const char* digits = header.data() + kSizeAt;
    const auto [end, bad] = std::from_chars(digits, digits + kSizeDigits, size, 8);
    if (bad != std::errc() || end != digits + kSizeDigits) return fail(ErrorKind::invalid, "no tar archive");
    if (size > kMostFile) return fail(ErrorKind::exhausted, "a file of over 4 MiB");
    at += kBlock;
    if (size > archive.size() - at) return fail(ErrorKind::invalid, "a tar archive that is cut off");
    const char type = header[kTypeAt];
    if (type == '0' || type == '\0') return std::string(archive.substr(at, size));
    if (type != 'x' && type != 'g') return std::string();
    at += (size + kBlock - 1) / kBlock * kBlock;
    if (at > archive.size()) return fail(ErrorKind::invalid, "a tar archive that is cut off");
  }
  return fail(ErrorKind::invalid, "a tar archive without a file");
}

Result<std::string> read_file_of(Engine& engine, const std::string& container, const std::string& path,
                                 const os::CallLimit& limit) {
  auto archive = engine.get("/containers/" + container + "/archive?path=" + net::escape_component(path), limit);
  if (!archive && archive.error().kind == ErrorKind::not_found) return std::string();
  if (!archive) return archive;
  return file_in_tar(*archive);
}

}  // namespace slipway::sandbox::docker
