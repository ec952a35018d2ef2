#include "sandbox/identity_files.h"

#include <fcntl.h>

#include <optional>

#include "base/text.h"
#include "os/files.h"

namespace slipway::sandbox {

namespace {

constexpr std::size_t kMostFile = 4U << 20U;

// By the ids of ids.h.
constexpr const char* kOurUsers =
    "runner:x:1001:1001:Slipway runner:/home/runner:/bin/sh\n"
    "source:x:1002:1002:Slipway source:/nonexistent:/usr/sbin/nologin\n";
constexpr const char* kOurGroups = "runner:x:1001:\nsource:x:1002:\n";

std::string with_ours(const char* ours, std::string_view theirs) {
  std::string result = ours;
  for (const std::string_view line : split(theirs, '\n')) {
    if (!line.empty() && !line.starts_with("runner:") && !line.starts_with("source:")) result.append(line).append("\n");
  }
  return result;
}

// No value: there is no such file.
using Text = std::optional<std::string>;

IdentityFiles with_ours(const Text& passwd, const Text& group) {
  return {with_ours(kOurUsers, passwd.value_or("root:x:0:0:root:/root:/bin/sh\n")),
          with_ours(kOurGroups, group.value_or("root:x:0:\n"))};
}

}  // namespace

IdentityFiles identity_files_of_host() {
  const auto text_of = [](const char* path) -> Text {
    auto text = os::read_file(path, kMostFile);
    return text ? Text(std::move(*text)) : Text();
  };
  return with_ours(text_of("/etc/passwd"), text_of("/etc/group"));
}

Result<IdentityFiles> identity_files_of_image() {
  SW_TRY(const os::Fd root, os::open_file("/", O_RDONLY | O_DIRECTORY));
  Text texts[2];
  for (const auto& [name, text] : {std::pair{"etc/passwd", &texts[0]}, std::pair{"etc/group", &texts[1]}}) {
    if (const auto file = os::open_untrusted(root.get(), name)) {
      SW_TRY(*text, os::read_all(file->get(), kMostFile));
    }
  }
  return with_ours(texts[0], texts[1]);
}

}  // namespace slipway::sandbox
