#include "source/archive_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/text.h"
#include "os/files.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDigest = "sha256:";

bool is_digest(std::string_view text) {
  return text.starts_with(kDigest) && text.size() == kDigest.size() + 64 &&
         text.find_first_not_of("0123456789abcdef", kDigest.size()) == std::string_view::npos;
}

std::string hex_part(const std::string& digest) { return digest.substr(kDigest.size()); }

// The only entry, where it is a directory: archives of releases hold `project-1.0/`.
std::optional<std::string> only_directory(const fs::path& tree) {
  std::error_code error;
  std::optional<std::string> only;
  for (fs::directory_iterator at(tree, error), end; !error && at != end; at.increment(error)) {
    if (only || !fs::is_directory(at->symlink_status(error))) return std::nullopt;
    only = at->path().filename().string();
  }
  return error ? std::nullopt : only;
}

Result<void> copy_archive(const fs::path& from, const fs::path& to, std::uint64_t most) {
  SW_TRY(const os::Fd in, os::open_file(from, O_RDONLY | O_NONBLOCK));
  struct stat status{};
  if (::fstat(in.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(ErrorKind::invalid, from.string() + " is not a file");
  }
  if (static_cast<std::uint64_t>(status.st_size) > most) {
    return fail(ErrorKind::exhausted, from.string() + " is larger than source.limit");
  }
  SW_TRY(const os::Fd out, os::open_file(to, O_WRONLY | O_CREAT | O_EXCL, 0600));
  for (;;) {
    constexpr std::size_t kPart = 64U << 20U;
    const ssize_t copied = ::copy_file_range(in.get(), nullptr, out.get(), nullptr, kPart, 0);
    if (copied == 0) return {};
    if (copied < 0) return fail_errno(errno, "copying " + from.string());
  }
}

}  // namespace

Result<std::string> ArchiveStore::take(const Fetch& fetch) {
  SW_CHECK(os::make_directories(downloads_, 0700));
  std::error_code error;
  std::string directory = (fs::canonical(downloads_, error) / "new-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) return fail_errno(errno, "making a place for an archive");
  const ScopeExit remove([&] { (void)os::remove_tree(directory); });  // nobody to tell
  const fs::path file = fs::path(directory) / "archive";
  SW_CHECK(fetch(file));
  SW_TRY(const os::Fd fetched, os::open_file(file, O_RDONLY | O_NOFOLLOW));
  SW_TRY(std::string digest, sha256_of(fetched.get()));
  if (::rename(file.c_str(), (downloads_ / hex_part(digest)).c_str()) != 0)
    return fail_errno(errno, "keeping an archive");
  return digest;
}

Result<std::string> ArchiveStore::unpack(const std::string& digest, const fs::path& directory,
                                         const os::CallLimit& limit) {
  const fs::path file = downloads_ / hex_part(digest);
  SW_TRY(const os::Fd archive, os::open_file(file, O_RDONLY | O_NOFOLLOW));
  SW_TRY(const std::string found, sha256_of(archive.get()));
  if (found != digest) {
    ::unlink(file.c_str());
    return fail(ErrorKind::unavailable, "the stored archive was damaged: try again");
  }
  os::UnpackOrder order;
  order.most_bytes = most_.bytes;
  order.most_entries = most_.files;
  if (auto done = os::unpack(unpack_program_, archive.get(), directory, order, limit); !done) {
    if (done.error().kind == ErrorKind::exhausted) done.error().what += ": see source.limit";
    return std::unexpected(std::move(done).error());
  }
  ::unlink(file.c_str());  // the tree is what stays
  return only_directory(directory).value_or("");
}

Result<CheckoutStore::Kept> ArchiveStore::tree(const std::string& digest, const Fetch& fetch,
                                               const os::CallLimit& limit) {
  if (!is_digest(digest)) {
    return fail(ErrorKind::invalid, "`" + printable(digest, Colour::strip) + "` is no digest: say sha256:HEX");
  }
  const auto make = [&](const fs::path& building) -> Result<std::string> {
    if (::access((downloads_ / hex_part(digest)).c_str(), R_OK) != 0) {
      SW_TRY(const std::string fetched, take(fetch));
      if (fetched != digest) {
        return fail(ErrorKind::conflict, "the archive has changed: it is " + fetched + " now, not " + digest);
      }
    }
    return unpack(digest, building, limit);
  };
  SW_TRY(CheckoutStore::Kept kept, checkouts_.get("tar-" + hex_part(digest), make, {}, limit));
  if (const auto inner = only_directory(kept.directory)) kept.directory /= *inner;
  return kept;
}

bool ArchiveSource::takes(const std::string& location) const {
  const std::string scheme = url_parts(location).scheme;
  return is_archive_name(location) && (scheme.empty() || scheme == "http" || scheme == "https" || scheme == "file");
}

Result<void> ArchiveSource::fetch(const std::string& location, const fs::path& file, const os::CallLimit& limit) {
  const Address address = address_of(location);
  constexpr std::uint64_t kMost = 20ULL << 30U;
  if (address.parts.scheme.empty() || address.parts.scheme == "file") {
    SW_TRY(const fs::path path, local_path_of(address));
    return copy_archive(path, file, kMost);
  }
  if (!address.parts.scheme.starts_with("http")) {
    return fail(ErrorKind::invalid, "archives come from files and over http or https, not " + address.clean);
  }
  ToolCall call;
  call.argv = {"curl",       "--fail",  "--silent",    "--show-error",  "--location",  "--max-redirs",
               "5",          "--proto", "=http,https", "--proto-redir", "=http,https", "--connect-timeout",
               "30",         "--retry", "2",           "--output",      file.string(), "--url",
               address.clean};
  call.network = ToolCall::Network::host;
  call.directory = file.parent_path();
  call.writable = {file.parent_path()};
  const auto with_login = [&](const Login& login) {
    call.home = {{".curlrc", "user = " + curl_quoted(login.user + ":" + login.password) + "\n"}};
  };
  if (!address.login.user.empty()) with_login(address.login);
  const auto fetched = run_tool(runner_, call, limit);
  if (fetched) return {};
  if (fetched.error().kind != ErrorKind::denied || !address.login.user.empty()) return std::unexpected(fetched.error());
  const auto login = ask_credential_helpers(address.clean, limit);
  if (!login) return std::unexpected(fetched.error());
  with_login(*login);
  SW_CHECK(run_tool(runner_, call, limit));
  return {};
}

Result<SourceSpec> ArchiveSource::pin(const SourceSpec& spec, const os::CallLimit& limit) {
  SourceSpec pinned = spec;
  if (is_digest(spec.revision)) return pinned;
  if (!spec.revision.empty()) {
    return fail(ErrorKind::invalid, "an archive has no revision `" + printable(spec.revision, Colour::strip) +
                                        "`: leave it out, or say sha256:HEX");
  }
  auto digest = archives_.take([&](const fs::path& file) { return fetch(spec.location, file, limit); });
  if (!digest) return wrap(std::move(digest).error(), address_of(spec.location).clean);
  pinned.revision = *std::move(digest);
  return pinned;
}

Result<Prepared> ArchiveSource::prepare(const SourceSpec& given, const os::CallLimit& limit) {
  SW_TRY(const SourceSpec spec, pin(given, limit));
  auto kept =
      archives_.tree(spec.revision, [&](const fs::path& file) { return fetch(spec.location, file, limit); }, limit);
  if (!kept) return wrap(std::move(kept).error(), address_of(spec.location).clean);
  return Prepared{.directory = kept->directory,
                  .owner = static_cast<std::uint32_t>(::geteuid()),
                  .sha = spec.revision,
                  .branch = {},
                  .url = address_of(spec.location).clean,
                  .git_dir = {},
                  .in_use = std::move(kept->in_use)};
}

}  // namespace slipway::source
