#include "sandbox/rootfs/user.h"

#include <fcntl.h>

#include "base/text.h"
#include "os/files.h"

namespace slipway::sandbox::rootfs {

namespace {

constexpr std::size_t kMostFile = 4U << 20U;

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The third field of the line that begins with `name`; empty: there is none.
std::string id_of(std::string_view name, std::string_view text) {
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() >= 3 && fields[0] == name && is_number(fields[2])) return std::string(fields[2]);
  }
  return {};
}

}  // namespace

FileOfImage files_in(const std::vector<std::string>& layers) {
  return [layers](const std::string& name) -> Result<std::string> {
    for (const std::string& layer : layers) {  // the topmost that has it
      const auto root = os::open_file(layer, O_RDONLY | O_DIRECTORY);
      if (!root) continue;
      const auto file = os::open_untrusted(root->get(), name);
      if (!file) continue;
      return os::read_all(file->get(), kMostFile).value_or("");
    }
    return std::string();
  };
}

Result<std::string> numeric_user(const std::string& user, const FileOfImage& file) {
  if (user.empty()) return user;
  const std::size_t colon = user.find(':');
  const std::string name = user.substr(0, colon);
  std::string result = name;
  if (!is_number(name)) {
    SW_TRY(const std::string text, file("etc/passwd"));
    result = id_of(name, text);
  }
  if (result.empty() && name == "root") result = "0";
  if (result.empty()) {
    return fail(ErrorKind::invalid,
                "it runs as the user `" + printable(name, Colour::strip) + "`, which its /etc/passwd does not have");
  }
  if (colon == std::string::npos) return result;
  const std::string group = user.substr(colon + 1);
  std::string number = group;
  if (!is_number(group)) {
    SW_TRY(const std::string text, file("etc/group"));
    number = id_of(group, text);
  }
  return number.empty() ? result : result + ":" + number;
}

}  // namespace slipway::sandbox::rootfs
