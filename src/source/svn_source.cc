#include "source/svn_source.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/hashed_name.h"
#include "base/text.h"
#include "source/fetch_tool.h"
#include "source/git_mirror.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

// `123` of `r123`; `HEAD` of nothing.
Result<std::string> number_of(std::string_view revision) {
  if (revision.empty() || revision == "HEAD") return "HEAD";
  if (revision.starts_with('r')) revision.remove_prefix(1);
  constexpr std::size_t kMost = 12;
  if (revision.empty() || revision.size() > kMost ||
      revision.find_first_not_of("0123456789") != std::string_view::npos) {
    return fail(ErrorKind::invalid,
                "`" + printable(revision, Colour::strip) + "` is no revision of Subversion: say 123, r123 or HEAD");
  }
  return std::string(revision);
}

// Our `svn+https://` is Subversion's `https://`; its own `svn+ssh://` stays.
std::string native_url(const std::string& location) {
  for (const std::string_view scheme : {"https://", "http://", "file://"}) {
    if (location.starts_with("svn+" + std::string(scheme))) return location.substr(4);
  }
  return location;
}

Result<ToolCall> svn(std::vector<std::string> arguments, const std::string& location, const std::string& peg,
                     const os::CallLimit& limit) {
  const Address address = address_of(native_url(location));
  constexpr std::string_view kSchemes[] = {"svn", "svn+ssh", "https", "http", "file"};
  if (!std::ranges::count(kSchemes, std::string_view(address.parts.scheme))) {
    return fail(ErrorKind::invalid, "svn cannot fetch `" + printable(address.clean, Colour::strip) +
                                        "`: it takes svn, svn+ssh, svn+https and svn+file URLs");
  }
  ToolCall call;
  call.argv = {"svn"};
  call.argv.insert(call.argv.end(), arguments.begin(), arguments.end());
  call.argv.insert(call.argv.end(), {"--non-interactive", "--no-auth-cache"});
  std::string clean = address.clean;
  if (address.parts.scheme == "file") {
    // The repository may be any directory above: it has `format` beside `db`.
    std::error_code error;
    for (fs::path at = address.parts.path; at.has_relative_path(); at = at.parent_path()) {
      if (!fs::exists(at / "format", error) || !fs::exists(at / "db", error)) continue;
      call.readable.push_back(fs::canonical(at, error));
      break;
    }
    if (call.readable.empty()) return fail(ErrorKind::not_found, "no Subversion repository at " + address.parts.path);
  } else {
    call.network = ToolCall::Network::host;
  }
  if (address.parts.scheme == "svn+ssh") {
    SW_TRY(SshAccess ssh, ssh_access(address.parts, limit));
    call.home = ssh.access.home;
    call.environment = ssh.access.environment;
    call.environment.emplace_back("SVN_SSH", ssh.command);
    call.readable.insert(call.readable.end(), ssh.access.readable.begin(), ssh.access.readable.end());
  } else if (!address.login.user.empty()) {
    call.argv.insert(call.argv.end(), {"--username", address.login.user, "--password-from-stdin"});
    call.input = address.login.password + "\n";
    if (address.parts.scheme == "svn") {  // in a URL of its own, the user stays: take it out
      clean = address.parts.scheme + "://" + address.parts.host +
              (address.parts.port.empty() ? "" : ":" + address.parts.port) + address.parts.path;
    }
  }
  call.argv.insert(call.argv.end(), {"--", clean + "@" + peg});
  return call;
}

}  // namespace

bool SvnSource::takes(const std::string& location) const {
  return location.starts_with("svn://") || location.starts_with("svn+ssh://");
}

Result<SourceSpec> SvnSource::pin(const SourceSpec& spec, const os::CallLimit& limit) {
  SW_TRY(const std::string peg, number_of(spec.revision));
  SW_TRY(const ToolCall call, svn({"info", "--show-item", "last-changed-revision"}, spec.location, peg, limit));
  SW_TRY(const std::string answer, run_tool(runner_, call, limit));
  SW_TRY(const std::string number, number_of(trim(answer)));
  SourceSpec pinned = spec;
  pinned.revision = "r" + number;
  return pinned;
}

Result<Prepared> SvnSource::prepare(const SourceSpec& given, const os::CallLimit& limit) {
  SourceSpec spec = given;
  if (!spec.revision.starts_with('r')) {
    SW_TRY(spec, pin(given, limit));
  }
  SW_TRY(const std::string number, number_of(spec.revision));
  const std::string clean = address_of(spec.location).clean;
  const auto make = [&](const fs::path& building) -> Result<std::string> {
    SW_TRY(ToolCall call, svn({"export", "--quiet", "--force", "--ignore-externals"}, spec.location, number, limit));
    call.argv.push_back(building.string());
    call.writable = {building};
    call.directory = building;
    SW_CHECK(run_tool(runner_, call, limit));
    return std::string();
  };
  SW_TRY(CheckoutStore::Kept kept, checkouts_.get("svn-r" + number + "-" + hashed_name({clean}), make, {}, limit));
  return Prepared{.directory = kept.directory,
                  .owner = static_cast<std::uint32_t>(::geteuid()),
                  .sha = spec.revision,
                  .branch = {},
                  .url = clean,
                  .git_dir = {},
                  .in_use = std::move(kept.in_use)};
}

}  // namespace slipway::source
