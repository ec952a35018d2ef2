#include "sandbox/spec_check.h"

#include <algorithm>

#include "sandbox/ids.h"

namespace slipway::sandbox {

namespace {

constexpr std::size_t kMaxName = 64;

}  // namespace

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == '.';
         });
}

bool is_clean_absolute(const std::filesystem::path& path) {
  return path.is_absolute() && path == path.lexically_normal() && path != "/";
}

Result<void> check_spec(const SandboxSpec& spec) {
  if (!is_plain_name(spec.id.value)) return fail(ErrorKind::invalid, "a sandbox id of letters and digits is needed");
  if (!is_plain_name(spec.hostname))
    return fail(ErrorKind::invalid, "the host name `" + spec.hostname + "` is not one");
  if (!is_clean_absolute(spec.workspace))
    return fail(ErrorKind::invalid, "workspace `" + spec.workspace + "` is not an absolute path");
  if (const auto& network = spec.private_network) {
    if (spec.network == model::Network::host)
      return fail(ErrorKind::invalid, "a job on the host's network has no private one: `services` need nat or none");
    if (network->services.size() > PrivateNetwork::kMost || !std::ranges::all_of(network->services, is_plain_name))
      return fail(ErrorKind::invalid, "a private network of too many services, or of one whose name is not plain");
  }
  for (const Mount& mount : spec.mounts) {
    if (!is_clean_absolute(mount.inside))
      return fail(ErrorKind::invalid, "mount point `" + mount.inside + "` is not an absolute path");
    if (!mount.outside.is_absolute())
      return fail(ErrorKind::invalid, "mounted `" + mount.outside.string() + "` is not an absolute path");
  }
  for (const Mount& mount : spec.mounts) {
    if (mount.of_source && (mount.kind != Mount::Kind::overlay || mount.inside != spec.workspace + "/src")) {
      return fail(ErrorKind::invalid, "only the overlay at the workspace's src can be the source's");
    }
    for (const std::string& name : mount.hidden) {
      if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
        return fail(ErrorKind::invalid, "`" + name + "` cannot be hidden");
    }
  }
  if (job_id(spec.run_as) >= kInitId) return fail(ErrorKind::invalid, "`run_as` must be below 65533");
  return {};
}

Error fault_of_set_up(Error error) {
  const bool is_of_the_job =
      error.kind == ErrorKind::invalid || error.kind == ErrorKind::not_found || error.kind == ErrorKind::denied;
  if (is_of_the_job) error.kind = ErrorKind::unavailable;
  return error;
}

}  // namespace slipway::sandbox
