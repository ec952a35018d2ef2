#include "source/hg_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <fmt/format.h>

#include "base/hashed_name.h"
#include "base/text.h"
#include "os/file_lock.h"
#include "os/files.h"
#include "source/fetch_tool.h"
#include "source/git_command.h"
#include "source/git_mirror.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSettings =
    "[ui]\ninteractive = no\narchivemeta = no\n[hooks]\n[extensions]\n[subrepos]\nallowed = no\n[progress]\n"
    "assume-tty = no\n";

bool is_node(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

ToolCall hg(std::vector<std::string> arguments, const fs::path& directory) {
  ToolCall call;
  call.argv = {"hg", "--noninteractive"};
  call.argv.insert(call.argv.end(), arguments.begin(), arguments.end());
  call.directory = directory;
  // Of settings only ours: not the machine's, and not the repository's.
  call.environment = {{"HGPLAIN", "1"}, {"HGRCPATH", "~/.hgrc"}, {"HGRCSKIPREPO", "1"}};
  call.home.push_back({".hgrc", kSettings});
  return call;
}

// With what reaching `location` takes.
Result<ToolCall> hg_with_remote(std::vector<std::string> arguments, const fs::path& directory,
                                const std::string& location, const os::CallLimit& limit) {
  const Address address = address_of(location);
  const std::string& scheme = address.parts.scheme;
  if (!scheme.empty() && scheme != "https" && scheme != "http" && scheme != "ssh" && scheme != "file") {
    return fail(ErrorKind::invalid,
                "hg cannot fetch `" + printable(address.clean, Colour::strip) + "`: it takes https, ssh and file URLs");
  }
  ToolCall call = hg(std::move(arguments), directory);
  if (scheme.empty() || scheme == "file") {
    SW_TRY(const fs::path path, local_path_of(address));
    call.readable.push_back(path);
    call.argv.push_back(path.string());
    return call;
  }
  call.network = ToolCall::Network::host;
  if (scheme == "ssh") {
    SW_TRY(SshAccess ssh, ssh_access(address.parts, limit));
    call.argv.insert(call.argv.begin() + 1, {"--config", "ui.ssh=" + ssh.command});
    call.home.insert(call.home.end(), ssh.access.home.begin(), ssh.access.home.end());
    call.environment.insert(call.environment.end(), ssh.access.environment.begin(), ssh.access.environment.end());
    call.readable.insert(call.readable.end(), ssh.access.readable.begin(), ssh.access.readable.end());
  } else if (!address.login.user.empty()) {
    call.home.front().text += fmt::format("[auth]\nremote.prefix = {}\nremote.username = {}\nremote.password = {}\n",
                                          address.parts.base(), address.login.user, address.login.password);
  }
  call.argv.push_back(address.clean);
  return call;
}

bool is_there(const fs::path& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

bool may_be_the_mirrors(const Error& error) { return error.kind == ErrorKind::internal; }

}  // namespace

bool HgSource::takes(const std::string& location) const {
  return location.find("://") == std::string::npos && is_there(fs::path(location) / ".hg");
}

Result<std::string> HgSource::clone(const std::string& location, const fs::path& mirror, const os::CallLimit& limit) {
  const fs::path fresh = mirror.string() + ".new";
  SW_CHECK(os::remove_tree(fresh));
  SW_CHECK(os::make_directories(fresh, 0700));
  SW_TRY(ToolCall call, hg_with_remote({"clone", "--noupdate", "--pull", "--"}, fresh, location, limit));
  call.argv.push_back(fresh.string());
  call.writable = {fresh};
  auto cloned = run_tool(runner_, call, limit);
  if (!cloned) {
    (void)os::remove_tree(fresh);  // the error that counts is the one before
    return cloned;
  }
  SW_CHECK(os::remove_tree(mirror));
  if (::rename(fresh.c_str(), mirror.c_str()) != 0) return fail_errno(errno, "keeping the mirror");
  return cloned;
}

Result<std::string> HgSource::pull(const std::string& location, const fs::path& mirror, const os::CallLimit& limit) {
  if (!is_there(mirror)) return clone(location, mirror, limit);
  // Nobody else is in there: the mirror's lock is ours.
  ::unlink((mirror / ".hg/store/lock").c_str());
  ::unlink((mirror / ".hg/wlock").c_str());
  if (is_there(mirror / ".hg/store/journal")) {
    ToolCall recover = hg({"--cwd", mirror.string(), "recover"}, mirror);
    recover.writable = {mirror};
    if (!run_tool(runner_, recover, limit)) return clone(location, mirror, limit);
  }
  SW_TRY(ToolCall call, hg_with_remote({"--cwd", mirror.string(), "pull", "--quiet", "--"}, mirror, location, limit));
  call.writable = {mirror};
  auto pulled = run_tool(runner_, call, limit);
  if (!pulled && may_be_the_mirrors(pulled.error())) return clone(location, mirror, limit);
  return pulled;
}

Result<SourceSpec> HgSource::find(const SourceSpec& spec, const fs::path& mirror, const os::CallLimit& limit) {
  SW_CHECK(check_revision(spec.revision));
  const auto ask = [&](const std::string& revision) {
    ToolCall call =
        hg({"--cwd", mirror.string(), "log", "--limit", "1", "--rev", revision, "--template", "{node}\\n{branch}\\n"},
           mirror);
    call.readable = {mirror};
    return run_tool(runner_, call, limit);
  };
  if (!is_there(mirror) || !is_node(spec.revision) || !ask(spec.revision)) {
    SW_CHECK(pull(spec.location, mirror, limit));
  }
  auto answer = ask(spec.revision.empty() ? "default" : spec.revision);
  if (!answer && spec.revision.empty()) answer = ask("tip");
  if (!answer && may_be_the_mirrors(answer.error())) {
    SW_CHECK(clone(spec.location, mirror, limit));
    answer = ask(spec.revision.empty() ? "tip" : spec.revision);
  }
  if (!answer) {
    return fail(answer.error().kind, "no branch, tag or node `" + printable(spec.revision, Colour::strip) + "` in " +
                                         address_of(spec.location).clean + ": " + answer.error().what);
  }
  const auto lines = split(*answer, '\n');
  if (lines.size() < 2 || !is_node(lines[0])) {
    return fail(ErrorKind::not_found,
                "no `" + printable(spec.revision, Colour::strip) + "` in " + address_of(spec.location).clean);
  }
  SourceSpec pinned = spec;
  pinned.revision = std::string(lines[0]);
  pinned.branch = std::string(lines[1]);
  return pinned;
}

Result<SourceSpec> HgSource::pin(const SourceSpec& spec, const os::CallLimit& limit) {
  SW_CHECK(os::make_directories(mirrors_, 0700));
  const std::string name = hashed_name({"hg", address_of(spec.location).clean});
  SW_TRY(const auto lock, os::FileLock::acquire(mirrors_ / (name + ".hg.lock"), os::LockMode::exclusive, limit));
  return find(spec, fs::canonical(mirrors_) / (name + ".hg"), limit);
}

Result<Prepared> HgSource::prepare(const SourceSpec& given, const os::CallLimit& limit) {
  SourceSpec spec = given;
  if (!is_node(spec.revision) || spec.branch.empty()) {
    SW_TRY(spec, pin(given, limit));
  }
  const std::string clean = address_of(spec.location).clean;
  const std::string name = hashed_name({"hg", clean});
  const auto make = [&](const fs::path& building) -> Result<std::string> {
    SW_CHECK(os::make_directories(mirrors_, 0700));
    const fs::path mirror = fs::canonical(mirrors_) / (name + ".hg");
    SW_TRY(const auto lock, os::FileLock::acquire(mirrors_ / (name + ".hg.lock"), os::LockMode::exclusive, limit));
    SW_CHECK(find(spec, mirror, limit));
    const auto archive = [&] {
      ToolCall call =
          hg({"--cwd", mirror.string(), "archive", "--rev", spec.revision, "--type", "files", "--", building.string()},
             mirror);
      call.writable = {building};
      call.readable = {mirror};
      return run_tool(runner_, call, limit);
    };
    auto made = archive();
    if (!made && may_be_the_mirrors(made.error())) {
      SW_CHECK(clone(spec.location, mirror, limit));
      made = archive();
    }
    if (!made) return wrap(made.error(), "checking out " + spec.revision);
    return std::string();
  };
  SW_TRY(CheckoutStore::Kept kept, checkouts_.get("hg-" + spec.revision + "-" + name, make, {}, limit));
  return Prepared{.directory = kept.directory,
                  .owner = static_cast<std::uint32_t>(::geteuid()),
                  .sha = spec.revision,
                  .branch = spec.branch,
                  .url = clean,
                  .git_dir = {},
                  .in_use = std::move(kept.in_use)};
}

}  // namespace slipway::source
