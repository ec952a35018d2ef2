#include "main/plugins.h"

#include <fcntl.h>

#include <algorithm>

#include <fmt/format.h>

#include "os/files.h"
#include "os/openat2.h"

namespace slipway::program {

namespace {

constexpr std::size_t kMostFiles = 100;
constexpr std::size_t kMostBytes = 1U << 20U;

bool is_plugin(const std::string& name) { return name.starts_with("plugin_") && name.ends_with(".py"); }

}  // namespace

Result<worker::Plugins> find_plugins(const std::filesystem::path& directory, const std::string& inside) {
  worker::Plugins plugins;
  plugins.directory = inside;
  SW_TRY(const os::Fd root, os::open_file(directory, O_RDONLY | O_DIRECTORY));
  std::string text;
  for (const std::string below : {".slipway/plugins", ".reactorcide/plugins"}) {
    if (!os::open_held(root.get(), below.c_str(), O_RDONLY | O_DIRECTORY, os::kBeneath)) continue;  // none there
    SW_TRY(std::vector<std::string> names, os::list_directory(directory / below));
    std::erase_if(names, [](const std::string& name) { return !is_plugin(name); });
    std::ranges::sort(names);
    for (const std::string& name : names) {
      const std::string path = below + "/" + name;
      if (plugins.files.size() >= kMostFiles)
        return fail(ErrorKind::exhausted, fmt::format("over {} plugins", kMostFiles));
      SW_TRY(const os::Fd file, os::open_untrusted(root.get(), path));
      auto one = os::read_all(file.get(), kMostBytes);
      if (!one) return wrap(one.error(), path);
      text += *one + "\n";
      plugins.files.push_back(inside + "/" + path);
    }
  }
  for (int i = 0; i <= static_cast<int>(model::Phase::cleanup); ++i) {
    const auto phase = static_cast<model::Phase>(i);
    if (phase != model::Phase::steps && text.find(model::to_string(phase)) != std::string::npos)
      plugins.phases.push_back(phase);
  }
  return plugins;
}

}  // namespace slipway::program
