#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "sandbox/sandbox.h"

/// The repository of a checkout as jobs see it. Whoever wrote a `.git` can make git run what they like.
namespace slipway::program {

/// As sandbox::Mount::replaced.
using Replaced = std::vector<std::pair<std::string, std::string>>;

/// Is `.git` a directory at its top?
bool has_repository(const std::filesystem::path& directory);

/// What stands in `repository` and is not for jobs: credentials in URLs, headers and helpers, programs to run. A
/// configuration that is a link, or cannot be read, is shown empty. `exhausted`: too many to search.
Result<Replaced> without_credentials(const std::filesystem::path& repository, const std::string& prefix);

/// Shows the repository at the top of `mount`, without credentials, where it is git's own (`is_gits`); hides whatever
/// else is called `.git` there.
Result<void> show_repository(sandbox::Mount& mount, bool is_gits);

/// A repository that lies beside its checkout, where source only reads it, for a job that keeps the two apart.
struct RepositoryApart {
  sandbox::Mount repository;
  Replaced in_checkout;  ///< files that lead source's own git there; nobody else goes by them
};
/// `inside`: where it is seen. `denied`: a part of it is a link, which may lead to what source wrote.
Result<RepositoryApart> repository_apart(const std::filesystem::path& checkout, std::uint32_t owner,
                                         const std::string& inside);
/// In its place, for source without a repository: a directory that is none. `empty`: one of the host.
sandbox::Mount no_repository(const std::filesystem::path& empty, std::uint32_t owner, const std::string& inside);

/// What keeps job code's git to `inside`, and off all that lies where source writes.
std::vector<std::pair<std::string, std::string>> git_apart(const std::string& workspace, const std::string& inside,
                                                           bool has_repository);

}  // namespace slipway::program
