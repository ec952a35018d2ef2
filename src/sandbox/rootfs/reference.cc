#include "sandbox/rootfs/reference.h"

#include <algorithm>

#include "base/text.h"

namespace slipway::sandbox::rootfs {

namespace {

constexpr std::size_t kLongestName = 255, kLongestTag = 128, kLongestPath = 4000, kHexDigits = 64;
constexpr std::string_view kSha256 = "sha256:";

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

bool is_digest(std::string_view text) {
  if (!text.starts_with(kSha256)) return false;
  text.remove_prefix(kSha256.size());
  return text.size() == kHexDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > kLongestTag || text.front() == '.' || text.front() == '-') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower(c) || is_upper(c) || is_digit(c) || c == '_' || c == '.' || c == '-';
  });
}

// Letters and digits, with single `.`, one or two `_`, or any number of `-` between them.
bool is_path_part(std::string_view part) {
  std::string_view between;
  if (part.empty() || !(is_lower(part.front()) || is_digit(part.front()))) return false;
  if (!(is_lower(part.back()) || is_digit(part.back()))) return false;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (is_lower(part[i]) || is_digit(part[i])) continue;
    const std::size_t end = std::min(part.find_first_of("abcdefghijklmnopqrstuvwxyz0123456789", i), part.size());
    between = part.substr(i, end - i);
    if (between != "." && between != "_" && between != "__" && between.find_first_not_of('-') != std::string_view::npos)
      return false;
    i = end - 1;
  }
  return true;
}

bool is_host(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (text.starts_with('[')) return text.find(']') != std::string_view::npos;
  const std::string_view host = text.substr(0, colon);
  if (colon != std::string_view::npos) {
    const std::string_view port = text.substr(colon + 1);
    if (port.empty() || port.size() > 5 || !std::all_of(port.begin(), port.end(), is_digit)) return false;
  }
  return !host.empty() && host.front() != '-' && host.front() != '.' &&
         std::all_of(host.begin(), host.end(),
                     [](char c) { return is_lower(c) || is_upper(c) || is_digit(c) || c == '.' || c == '-'; });
}

// Docker's rule for what stands before the first slash.
bool looks_like_host(std::string_view part) {
  return part == "localhost" || part.find_first_of(".:") != std::string_view::npos ||
         std::any_of(part.begin(), part.end(), is_upper);
}

std::unexpected<Error> bad(std::string_view text, std::string_view why) {
  return fail(ErrorKind::invalid, "`" + printable(text.substr(0, kLongestName), Colour::strip) +
                                      "` is not an image's name: " + std::string(why));
}

// Takes `:TAG` off the end of `rest`.
Result<std::string> take_tag(std::string_view whole, std::string_view& rest) {
  const std::size_t colon = rest.rfind(':');
  const std::size_t slash = rest.rfind('/');
  if (colon == std::string_view::npos || (slash != std::string_view::npos && colon < slash)) return std::string();
  const std::string_view tag = rest.substr(colon + 1);
  if (!is_tag(tag)) return bad(whole, "a tag is letters, digits, `_`, `.` and `-`");
  rest = rest.substr(0, colon);
  return std::string(tag);
}

Result<ImageReference> parse_named(std::string_view whole, std::string_view rest, ImageReference::Source source) {
  ImageReference made;
  made.source = source;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    made.digest = rest.substr(at + 1);
    rest = rest.substr(0, at);
    if (!is_digest(made.digest)) return bad(whole, "a digest is `sha256:` and 64 hexadecimal digits");
    if (source != ImageReference::Source::registry) return bad(whole, "only registries know digests");
  }
  SW_TRY(made.tag, take_tag(whole, rest));
  if (made.is_pinned()) made.tag.clear();  // the digest decides
  if (made.tag.empty() && !made.is_pinned()) made.tag = "latest";
  std::string host = "docker.io";
  std::string_view path = rest;
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos && looks_like_host(rest.substr(0, slash))) {
    host = rest.substr(0, slash);
    path = rest.substr(slash + 1);
    if (host == "index.docker.io") host = "docker.io";
    if (!is_host(host)) return bad(whole, "`" + host + "` is not a registry's host");
  }
  for (const std::string_view part : split(path, '/')) {
    if (!is_path_part(part)) return bad(whole, "names are of small letters, digits, and single `.`, `_`, `-` between");
  }
  made.name = host + "/" + (host == "docker.io" && path.find('/') == std::string_view::npos ? "library/" : "") +
              std::string(path);
  if (made.name.size() > kLongestName) return bad(whole, "it is too long");
  return made;
}

}  // namespace

std::string ImageReference::text() const {
  switch (source) {
    case Source::here: return digest;
    case Source::docker_archive: return "docker-archive:" + name;
    case Source::oci_layout: return "oci:" + name + (tag.empty() ? "" : ":" + tag);
    case Source::docker_daemon: return "docker-daemon:" + name + ":" + tag;
    case Source::registry: break;
  }
  return name + (is_pinned() ? "@" + digest : ":" + tag);
}

std::unexpected<Error> not_to_be_fetched() {
  return fail(ErrorKind::not_found, "it is not here, and images are not to be fetched (--pull never)");
}

Result<ImageReference> parse_reference(std::string_view text) {
  using Source = ImageReference::Source;
  if (text.empty()) return fail(ErrorKind::invalid, "an image needs a name");
  if (text.size() > kLongestPath) return bad(text, "it is too long");
  if (text.find_first_of(std::string_view("\n\r\t \0", 5)) != std::string_view::npos) return bad(text, "it has spaces");
  if (text.starts_with('.')) return bad(text, "a directory is named by its absolute path, `/...`");
  if (is_digest(text)) return ImageReference{Source::here, "", "", std::string(text)};
  const auto path_after = [&](std::string_view prefix) { return text.substr(prefix.size()); };
  if (text.starts_with("oci:") || text.starts_with("docker-archive:")) {
    const bool is_layout = text.starts_with("oci:");
    std::string_view rest = path_after(is_layout ? "oci:" : "docker-archive:");
    ImageReference made;
    made.source = is_layout ? Source::oci_layout : Source::docker_archive;
    if (is_layout) {
      SW_TRY(made.tag, take_tag(text, rest));
    }
    if (!rest.starts_with('/')) return bad(text, "the path must be absolute");
    if (rest.find_first_of(":@") != std::string_view::npos) return bad(text, "the path may not have `:` or `@` in it");
    made.name = rest;
    return made;
  }
  if (text.starts_with("docker-daemon:")) return parse_named(text, path_after("docker-daemon:"), Source::docker_daemon);
  return parse_named(text, text, Source::registry);
}

}  // namespace slipway::sandbox::rootfs
