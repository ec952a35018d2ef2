#include "init/secret_files.h"

#include <fmt/format.h>

namespace slipway::init {

Result<void> write_secret_files(const std::vector<model::SecretUse>& uses,
                                const std::map<std::string, std::string>& values, const Identity& identity,
                                const OwnDirectory* directory) {
  for (const model::SecretUse& use : uses) {
    const auto value = values.find(use.name);
    if (value == values.end()) return fail(ErrorKind::unavailable, fmt::format("secret `{}` was not given", use.name));
    if (use.file.empty()) continue;
    if (directory == nullptr) return fail(ErrorKind::internal, "no place for secrets");
    const std::string prefix = directory->path_of("");
    const std::string name = use.file.starts_with(prefix) ? use.file.substr(prefix.size()) : std::string();
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
      return fail(ErrorKind::invalid, fmt::format("secret `{}`: its file must lie directly in {}", use.name, prefix));
    }
    SW_CHECK(directory->write(name, value->second, 0400, &identity));
  }
  return {};
}

}  // namespace slipway::init
