#include "os/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/text.h"

namespace slipway::os {

namespace {

// What the kernel wrote about the last failure, as "e overlay: ..." lines.
std::string explanation(int context) {
  char buffer[512];
  const ssize_t got = ::read(context, buffer, sizeof buffer);
  if (got <= 2) return "";
  return " (" + std::string(trim(std::string_view(buffer, static_cast<std::size_t>(got)).substr(2))) + ")";
}

}  // namespace

Result<Fd> make_mount(const char* type, const MountOptions& options, unsigned attributes) {
  const Fd context(::fsopen(type, FSOPEN_CLOEXEC));
  if (!context) return fail_errno(errno, std::string("opening the file system type ") + type);
  for (const auto& [name, value] : options) {
    const int outcome = value.empty() ? ::fsconfig(context.get(), FSCONFIG_SET_FLAG, name.c_str(), nullptr, 0)
                                      : ::fsconfig(context.get(), FSCONFIG_SET_STRING, name.c_str(), value.c_str(), 0);
    if (outcome != 0) {
      const int error = errno;
      return fail_errno(error, fmt::format("{} option {}={}{}", type, name, value, explanation(context.get())));
    }
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    const int error = errno;
    return fail_errno(error, fmt::format("making a {}{}", type, explanation(context.get())));
  }
  Fd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
  if (!mount) return fail_errno(errno, std::string("fsmount of ") + type);
  return mount;
}

Result<Fd> make_mount_at(const std::string& at, const char* type, const MountOptions& options, unsigned attributes) {
  std::string text;
  for (const auto& [name, value] : options)
    text += (text.empty() ? "" : ",") + name + (value.empty() ? "" : "=" + value);
  if (::mount(type, at.c_str(), type, 0, text.c_str()) != 0) return fail_errno(errno, std::string("making a ") + type);
  auto mount = clone_mount(AT_FDCWD, at, Submounts::left_out);
  if (::umount2(at.c_str(), MNT_DETACH) != 0) return fail_errno(errno, "taking the mount from " + at);
  if (mount) SW_CHECK(restrict_mount(mount->get(), attributes, Submounts::left_out));
  return mount;
}

Result<Fd> clone_mount(int directory, const std::string& path, Submounts submounts) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  if (submounts == Submounts::included) flags |= AT_RECURSIVE;
  if (path.empty()) flags |= AT_EMPTY_PATH;
  Fd mount(::open_tree(directory, path.c_str(), flags));
  if (!mount) return fail_errno(errno, "cloning the mount at " + path);
  return mount;
}

Result<void> restrict_mount(int mount, unsigned attributes, Submounts submounts, int user_namespace) {
  mount_attr attr{};
  attr.attr_set = attributes;
  if (user_namespace >= 0) {
    attr.attr_set |= MOUNT_ATTR_IDMAP;
    attr.userns_fd = static_cast<__u64>(user_namespace);
  }
  const unsigned flags = AT_EMPTY_PATH | (submounts == Submounts::included ? AT_RECURSIVE : 0U);
  if (::mount_setattr(mount, "", flags, &attr, sizeof attr) == 0) return {};
  const int error = errno;
  if (user_namespace >= 0 && error == EINVAL) {
    return fail(
        ErrorKind::unavailable,
        "this file system cannot show its files as another user's (no idmapped mounts: ext4, xfs and btrfs have "
        "them, tmpfs since Linux 6.3)");
  }
  return fail_errno(error, "setting mount attributes");
}

Result<void> allow_execution(int mount) {
  mount_attr attr{};
  attr.attr_clr = MOUNT_ATTR_NOEXEC;
  if (::mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof attr) == 0) return {};
  return fail_errno(errno, "allowing execution");
}

Result<void> attach_mount(int mount, int directory, const std::string& path) {
  if (::move_mount(mount, "", directory, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0) return {};
  return fail_errno(errno, "mounting at " + path);
}

Result<std::string> lower_directory(const std::string& path, std::vector<Fd>& keep_open) {
  constexpr std::size_t kMost = 200;  // below the kernel's 255, with room for escapes
  if (path.size() <= kMost && path.find_first_of(":\\,") == std::string::npos) return path;
  Fd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "opening " + path);
  std::string text = fmt::format("/proc/self/fd/{}", fd.get());
  keep_open.push_back(std::move(fd));
  return text;
}

}  // namespace slipway::os
