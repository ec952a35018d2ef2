#include "source/source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "source/working_tree.h"

namespace slipway::source {

namespace {

bool is_kind_name(std::string_view text) {
  constexpr std::size_t kMost = 40;
  return !text.empty() && text.size() <= kMost && text.front() != '-' &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

// A checkout with its repository, or a repository alone.
bool is_git_directory(const std::string& location) {
  std::error_code unreadable;
  const std::filesystem::path path = location;
  return std::filesystem::exists(path / ".git", unreadable) ||
         (std::filesystem::exists(path / "HEAD", unreadable) && std::filesystem::exists(path / "objects", unreadable));
}

}  // namespace

Source* Sources::look_up(std::string_view kind) {
  for (const auto& source : sources_) {
    if (source->kind() == kind) return source.get();
  }
  if (!find_ || !is_kind_name(kind)) return nullptr;
  const std::string name(kind);
  const auto known = [&](auto& found) {
    const auto at = found.find(name);
    return std::pair(at != found.end(), at == found.end() ? nullptr : at->second.get());
  };
  if (const auto [is_known, source] = found_.with(known); is_known) return source;
  auto made = find_(name);
  return found_.with([&](auto& found) { return found.emplace(name, std::move(made)).first->second.get(); });
}

Result<Source*> Sources::find(std::string_view kind) {
  if (Source* const source = look_up(kind)) return source;
  std::vector<std::string> kinds;
  for (const auto& source : sources_) kinds.emplace_back(source->kind());
  std::string what = "no kind of source `" + printable(kind, Colour::strip) + "`: there are " + join(kinds, ", ");
  if (find_ && is_kind_name(kind)) {
    what += ", and no program `slipway-source-" + std::string(kind) + "` is in PATH (docs/sources.md)";
  }
  return fail(ErrorKind::invalid, what);
}

SourceSpec Sources::with_kind(SourceSpec spec) {
  if (!spec.kind.empty()) return spec;
  const std::size_t scheme_end = std::min(spec.location.find("://"), spec.location.size());
  const bool has_scheme = scheme_end < spec.location.size();
  const std::size_t plus = spec.location.find('+');
  // `svn+ssh` is Subversion's own scheme.
  if (plus < scheme_end && !spec.location.starts_with("svn+ssh://")) {
    const std::string named = spec.location.substr(0, plus);
    if (look_up(named) != nullptr || (has_scheme && is_kind_name(named))) {  // `find` tells if there is none
      spec.kind = named;
      spec.location.erase(0, plus + 1);
      return spec;
    }
  }
  for (const auto& source : sources_) {
    if (!source->takes(spec.location)) continue;
    spec.kind = source->kind();
    return spec;
  }
  constexpr std::string_view kGits[] = {"https", "http", "ssh", "git", "file"};
  const std::string scheme = spec.location.substr(0, scheme_end);
  if (has_scheme && std::ranges::count(kGits, scheme) == 0 && is_kind_name(scheme)) {
    spec.kind = scheme;
    return spec;
  }
  const std::size_t colon = spec.location.find(':');
  const bool is_remote = colon != std::string::npos && colon > 0 && spec.location.find('/') > colon;
  spec.kind = has_scheme || is_remote || is_git_directory(spec.location) ? "git" : "directory";
  return spec;
}

Result<SourceSpec> Sources::pin(const SourceSpec& given, const os::CallLimit& limit) {
  const SourceSpec spec = with_kind(given);
  SW_TRY(Source* const source, find(spec.kind));
  return source->pin(spec, limit);
}

Result<Prepared> Sources::prepare(const SourceSpec& given, const os::CallLimit& limit) {
  const SourceSpec spec = with_kind(given);
  SW_TRY(Source* const source, find(spec.kind));
  return source->prepare(spec, limit);
}

Result<SourceSpec> DirectorySource::pin(const SourceSpec& spec, const os::CallLimit& limit) {
  if (!spec.revision.empty()) {
    return fail(ErrorKind::invalid,
                fmt::format("a directory is what it is, and has no `{}`: leave the revision out, or "
                            "say git+file://... for a repository",
                            printable(spec.revision, Colour::strip)));
  }
  SW_TRY(const WorkingTree tree, read_working_tree(spec.location, limit));
  SourceSpec pinned = spec;
  pinned.branch = tree.branch;
  return pinned;
}

Result<Prepared> DirectorySource::prepare(const SourceSpec& spec, const os::CallLimit& limit) {
  SW_TRY(WorkingTree tree, read_working_tree(spec.location, limit));
  std::error_code error;
  Prepared prepared;
  // The directory that was asked for, be it a part of a checkout.
  prepared.directory = std::filesystem::canonical(spec.location, error);
  struct stat status{};
  if (error || ::stat(prepared.directory.c_str(), &status) != 0)
    return fail_errno(errno, "looking at " + spec.location);
  prepared.owner = status.st_uid;
  prepared.sha = std::move(tree.sha);
  prepared.branch = std::move(tree.branch);
  prepared.url = std::move(tree.remote_url);
  prepared.git_dir = std::move(tree.git_dir);
  return prepared;
}

}  // namespace slipway::source
