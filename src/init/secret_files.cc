#include "init/secret_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "os/files.h"

namespace slipway::init {

Result<void> write_secret_files(const std::vector<model::SecretUse>& uses,
                                const std::map<std::string, std::string>& values, const Identity& identity,
                                const std::string& workspace) {
  const std::string directory = workspace + "/secrets";
  for (const model::SecretUse& use : uses) {
    const auto value = values.find(use.name);
    if (value == values.end()) return fail(ErrorKind::unavailable, fmt::format("secret `{}` was not given", use.name));
    if (use.file.empty()) continue;
    const std::string prefix = directory + "/";
    const std::string name = use.file.starts_with(prefix) ? use.file.substr(prefix.size()) : std::string();
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
      return fail(ErrorKind::invalid,
                  fmt::format("secret `{}`: its file must lie directly in {}", use.name, directory));
    }
    SW_TRY(const os::Fd parent, os::open_file(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    if (::unlinkat(parent.get(), name.c_str(), 0) != 0 && errno != ENOENT) return fail_errno(errno, use.file);
    const os::Fd file(::openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400));
    if (!file) return fail_errno(errno, use.file);
    SW_CHECK(os::write_all(file.get(), value->second));
    if (identity.switches && ::fchown(file.get(), identity.uid, identity.gid) != 0) return fail_errno(errno, use.file);
  }
  return {};
}

}  // namespace slipway::init
