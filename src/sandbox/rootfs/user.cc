#include "sandbox/rootfs/user.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/text.h"
#include "os/files.h"
#include "os/openat2.h"

namespace slipway::sandbox::rootfs {

namespace {

constexpr std::size_t kMostFile = 4U << 20U;

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 10 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The third field of the line that begins with `name`; empty: there is none.
std::string id_of(std::string_view name, std::string_view text) {
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() >= 3 && fields[0] == name && is_number(fields[2])) return std::string(fields[2]);
  }
  return {};
}

// Does this layer say that there is no such directory below it?
bool hides_below(int layer, const char* directory) {
  const os::Fd fd = os::open_held(layer, directory, O_RDONLY | O_DIRECTORY, os::kBeneath);
  if (!fd) return errno != ENOENT;
  char yes = 0;
  return ::fgetxattr(fd.get(), "trusted.overlay.opaque", &yes, 1) == 1 ||
         ::fgetxattr(fd.get(), "user.overlay.opaque", &yes, 1) == 1;
}

}  // namespace

FileOfImage files_in(const std::vector<std::string>& layers) {
  return [layers](const std::string& name) -> Result<std::string> {
    for (const std::string& layer : layers) {  // the topmost that has it
      SW_TRY(const os::Fd root, os::open_file(layer, O_RDONLY | O_DIRECTORY));
      const auto file = os::open_untrusted(root.get(), name);
      if (file) return os::read_all(file->get(), kMostFile).value_or("");
      const bool is_hidden = file.error().kind != ErrorKind::not_found;  // a whiteout, or a link, which leads anywhere
      if (is_hidden || hides_below(root.get(), "etc")) return std::string();
    }
    return std::string();
  };
}

Result<std::string> numeric_user(const std::string& user, const FileOfImage& file) {
  if (user.empty()) return user;
  const auto number_of = [&](const std::string& name, const std::string& list) -> Result<std::string> {
    if (is_number(name)) return name;
    SW_TRY(const std::string text, file(list));
    std::string number = id_of(name, text);
    if (number.empty() && name == "root") number = "0";
    if (!number.empty()) return number;
    return fail(ErrorKind::invalid,
                fmt::format("it runs as {} `{}`, which its /{} does not have",
                            list == "etc/group" ? "the group" : "the user", printable(name, Colour::strip), list));
  };
  const std::size_t colon = user.find(':');
  SW_TRY(std::string result, number_of(user.substr(0, colon), "etc/passwd"));
  if (colon == std::string::npos) return result;
  SW_TRY(const std::string group, number_of(user.substr(colon + 1), "etc/group"));
  return result + ":" + group;
}

}  // namespace slipway::sandbox::rootfs
