#include "source/git_source.h"

#include <unistd.h>

#include <fmt/format.h>

#include "base/hashed_name.h"
#include "os/files.h"
#include "source/git_checkout.h"
#include "source/git_mirror.h"
#include "source/git_objects.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

std::string key_of(const GitMirror& mirror, const SourceSpec& spec) {
  const model::Checkout& checkout = spec.checkout;
  return spec.revision + "-" +
         hashed_name({mirror.url(), spec.branch,
                      fmt::format("{} {} {} {}", checkout.depth.value_or(0), checkout.submodules, checkout.lfs,
                                  static_cast<int>(spec.trust))});
}

std::string without_prefix(const std::string& location) {
  constexpr std::string_view kPrefix = "git+";
  if (!location.starts_with(kPrefix) || location.starts_with("git+ssh://")) return location;
  return location.substr(kPrefix.size());
}

bool is_as_it_was(const fs::path& directory, const std::string& packs) {
  return describe_packs(directory / ".git/objects") == packs;
}

// Faults that lie in a mirror may show only when its objects are read.
bool may_be_the_mirrors(const Error& error) {
  return error.kind == ErrorKind::internal || error.kind == ErrorKind::not_found;
}

}  // namespace

Result<SourceSpec> GitSource::pin(const SourceSpec& spec, const os::CallLimit& limit) {
  SW_TRY(const GitMirror mirror, GitMirror::of(without_prefix(spec.location), mirrors_, runner_));
  SW_TRY(GitMirror::Found found, mirror.find(spec.revision, limit));
  SourceSpec pinned = spec;
  pinned.revision = std::move(found.sha);
  if (!found.branch.empty()) pinned.branch = std::move(found.branch);
  return pinned;
}

Result<Prepared> GitSource::prepare(const SourceSpec& given, const os::CallLimit& limit) {
  SW_TRY(const GitMirror mirror, GitMirror::of(without_prefix(given.location), mirrors_, runner_));
  SourceSpec spec = given;
  if (!is_full_sha(spec.revision)) {
    SW_TRY(spec, pin(given, limit));
  }
  const auto make = [&](const fs::path& building) -> Result<std::string> {
    SW_CHECK(mirror.find(spec.revision, limit));  // fetches where the commit is not here
    auto made = GitCheckout(mirror, building, spec, runner_, limit).make();
    if (!made && mirror.remote() && may_be_the_mirrors(made.error())) {
      SW_CHECK(mirror.make_anew(limit));
      SW_CHECK(mirror.find(spec.revision, limit));
      SW_CHECK(os::remove_tree(building));
      SW_CHECK(os::make_directories(building, 0700));
      made = GitCheckout(mirror, building, spec, runner_, limit).make();
    }
    if (!made) return wrap(made.error(), "checking out " + spec.revision);
    return describe_packs(building / ".git/objects");
  };
  SW_TRY(CheckoutStore::Kept kept, checkouts_.get(key_of(mirror, spec), make, is_as_it_was, limit));
  const fs::path directory = std::move(kept.directory);
  return Prepared{directory,
                  static_cast<std::uint32_t>(::geteuid()),
                  spec.revision,
                  spec.branch,
                  mirror.url(),
                  directory / ".git",
                  std::move(kept.in_use)};
}

}  // namespace slipway::source
