#include "sandbox/native/root_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "os/files.h"
#include "os/mount.h"
#include "sandbox/private_network.h"

namespace slipway::sandbox::native {

namespace {

constexpr std::size_t kMaxFile = 4U << 20U;

struct Directory {
  const char* path;
  mode_t mode;
  std::uint32_t owner;  // an id inside
};

// Makes it, or corrects what an image brings along.
Result<void> make_directory(const std::string& path, mode_t mode, std::uint32_t owner, const Identity& identity) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail_errno(errno, "making " + path);
  const std::uint32_t id = identity.outside(owner);
  if (::chown(path.c_str(), id, id) != 0) return fail_errno(errno, "giving " + path + " to its owner");
  return {};
}

// Every missing part of `path`, as the sandbox's root.
Result<void> make_parents(const std::string& path, const Identity& identity) {
  for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0755) != 0) {
      if (errno == EEXIST || errno == EROFS) continue;  // a missing part of a read-only tree shows at the next one
      return fail_errno(errno, "making " + part);
    }
    const std::uint32_t id = identity.outside(0);
    if (::chown(part.c_str(), id, id) != 0) return fail_errno(errno, "giving " + part + " to its owner");
  }
  return {};
}

// A new file: what was there, a link included, is not followed but replaced.
Result<void> write_file(const std::string& path, std::string_view text, const Identity& identity) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "replacing " + path);
  SW_TRY(const os::Fd fd, os::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  SW_CHECK(os::write_all(fd.get(), text));
  const std::uint32_t id = identity.outside(0);
  if (::fchown(fd.get(), id, id) != 0) return fail_errno(errno, "giving " + path + " to its owner");
  return {};
}

Result<void> write_network_files(const std::string& directory, const SetupSpec& spec, const Identity& identity) {
  const std::string& name = spec.sandbox.hostname;
  std::string resolvers;
  for (const std::string& server : spec.nameservers) resolvers += "nameserver " + server + "\n";
  SW_CHECK(write_file(directory + "/hostname", name + "\n", identity));
  std::string hosts =
      fmt::format("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{}\n", name);
  if (const auto& network = spec.sandbox.private_network) {
    for (const NamedAddress& one : addresses_of(*network)) hosts += fmt::format("{}\t{}\n", one.address, one.name);
  }
  SW_CHECK(write_file(directory + "/hosts", hosts, identity));
  return write_file(directory + "/resolv.conf", resolvers, identity);
}

}  // namespace

Result<void> make_devices(const std::string& directory, const Identity& identity) {
  struct Device {
    const char* name;
    unsigned major, minor;
  };
  constexpr Device kDevices[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                                 {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
  for (const Device& device : kDevices) {
    const std::string path = directory + "/" + device.name;
    if (identity.kind() == Identity::Kind::root) {
      if (::mknod(path.c_str(), S_IFCHR | 0666, ::makedev(device.major, device.minor)) != 0) {
        return fail_errno(errno, "making " + path);
      }
      continue;
    }
    // Rootless: devices cannot be made, only shown.
    const os::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    SW_TRY(const os::Fd mount, os::clone_mount(AT_FDCWD, std::string("/dev/") + device.name, os::Submounts::left_out));
    SW_CHECK(os::attach_mount(mount.get(), AT_FDCWD, path));
  }
  constexpr std::pair<const char*, const char*> kLinks[] = {{"fd", "/proc/self/fd"},
                                                            {"stdin", "/proc/self/fd/0"},
                                                            {"stdout", "/proc/self/fd/1"},
                                                            {"stderr", "/proc/self/fd/2"},
                                                            {"ptmx", "pts/ptmx"}};
  for (const auto& [name, target] : kLinks) {
    if (::symlink(target, (directory + "/" + name).c_str()) != 0)
      return fail_errno(errno, std::string("linking ") + name);
  }
  if (::mkdir((directory + "/pts").c_str(), 0755) != 0 || ::mkdir((directory + "/shm").c_str(), 01777) != 0) {
    return fail_errno(errno, "making directories of /dev");
  }
  return {};
}

Result<void> make_device(const std::string& directory, const std::string& name, std::uint32_t owner,
                         const Identity& identity) {
  const std::string outside = "/dev/" + name, path = directory + "/" + name;
  struct stat status{};
  if (::stat(outside.c_str(), &status) != 0) return fail_errno(errno, outside);
  if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) return fail(ErrorKind::invalid, outside + " is no device");
  for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    SW_CHECK(make_directory(directory + "/" + name.substr(0, slash), 0755, 0, identity));
  }
  if (identity.kind() != Identity::Kind::root) {
    const os::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    SW_TRY(const os::Fd mount, os::clone_mount(AT_FDCWD, outside, os::Submounts::left_out));
    return os::attach_mount(mount.get(), AT_FDCWD, path);
  }
  const std::uint32_t id = identity.outside(owner);
  if (::mknod(path.c_str(), (status.st_mode & S_IFMT) | 0660U, status.st_rdev) != 0 ||
      ::chown(path.c_str(), id, id) != 0 || ::chmod(path.c_str(), 0660) != 0) {
    return fail_errno(errno, "making " + path);
  }
  return {};
}

Result<void> write_identity_files(const std::string& directory, const SetupSpec& spec, const HostLayout& host,
                                  const Identity& identity) {
  SW_CHECK(write_file(directory + "/passwd", host.identity.passwd, identity));
  SW_CHECK(write_file(directory + "/group", host.identity.group, identity));
  return write_network_files(directory, spec, identity);
}

Result<void> write_identity_files_of_image(const SetupSpec& spec, const Identity& identity) {
  SW_TRY(const IdentityFiles files, identity_files_of_image());
  SW_CHECK(write_file("/etc/passwd", files.passwd, identity));
  SW_CHECK(write_file("/etc/group", files.group, identity));
  return write_network_files("/etc", spec, identity);
}

Result<void> write_replaced(const std::string& layer, const std::vector<std::pair<std::string, std::string>>& replaced,
                            std::uint32_t owner, const Identity& identity) {
  const std::uint32_t id = identity.outside(owner);
  for (const auto& [name, text] : replaced) {
    // Directories of a layer join those below them; the files hide theirs.
    for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      SW_CHECK(make_directory(layer + "/" + name.substr(0, slash), 0755, owner, identity));
    }
    const std::string path = layer + "/" + name;
    SW_TRY(const os::Fd fd, os::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
    SW_CHECK(os::write_all(fd.get(), text));
    if (::fchown(fd.get(), id, id) != 0) return fail_errno(errno, "giving " + path + " to its owner");
  }
  return {};
}

Result<void> write_hidden(const std::string& layer, const std::vector<std::string>& hidden) {
  for (const std::string& name : hidden) {
    // How overlayfs notes what was removed.
    if (::mknod((layer + "/" + name).c_str(), S_IFCHR, ::makedev(0, 0)) != 0)
      return fail_errno(errno, "hiding " + name);
  }
  return {};
}

Result<void> make_local_directories(const std::string& usr, const Identity& identity) {
  for (const char* name : {"/local", "/local/bin", "/local/sbin", "/local/lib", "/local/include", "/local/share"}) {
    SW_CHECK(make_directory(usr + name, 0755, 0, identity));
  }
  if (::symlink("/run/slipway/bin/slipway", (usr + "/local/bin/slipway").c_str()) != 0) {
    return fail_errno(errno, "linking the slipway command");
  }
  return {};
}

Result<void> make_standard_directories(const SetupSpec& spec, const Identity& identity) {
  constexpr Directory kDirectories[] = {
      {"/dev", 0755, 0},     {"/proc", 0755, 0},      {"/sys", 0755, 0},     {"/run", 0755, 0},
      {"/etc", 0755, 0},     {"/tmp", 01777, 0},      {"/var", 0755, 0},     {"/var/tmp", 01777, 0},
      {"/var/lib", 0755, 0}, {"/var/cache", 0755, 0}, {"/var/log", 0755, 0}, {"/root", 0700, 0},
      {"/home", 0755, 0},    {"/srv", 0755, 0},       {"/mnt", 0755, 0},     {"/home/runner", 0755, kRunnerId}};
  const bool of_host = spec.sandbox.image == "host";
  for (const Directory& directory : kDirectories) {
    if (!of_host && ::access(directory.path, F_OK) == 0) continue;  // an image's own
    SW_CHECK(make_directory(directory.path, directory.mode, directory.owner, identity));
  }
  if (of_host && (::symlink("/run", "/var/run") != 0 || ::symlink("/run/lock", "/var/lock") != 0)) {
    return fail_errno(errno, "linking /var/run");
  }
  SW_CHECK(make_parents(spec.sandbox.workspace, identity));
  return make_directory(spec.sandbox.workspace, 0755, job_id(spec.sandbox.run_as), identity);
}

Result<void> make_run_directory(const Identity& identity) { return make_directory("/run/lock", 01777, 0, identity); }

Result<void> make_program_place(const Identity& identity) {
  SW_CHECK(make_directory("/run/slipway/bin", 0755, identity.init_id(), identity));
  return write_file("/run/slipway/bin/slipway", "", identity);
}

Result<void> make_workspace_directories(const SetupSpec& spec, const Identity& identity) {
  const std::uint32_t job = job_id(spec.sandbox.run_as);
  for (const char* name : {"/src", "/artifacts"}) {
    const std::string path = spec.sandbox.workspace + name;
    if (spec.sandbox.beside && std::string_view(name) == "/artifacts") continue;  // what it leaves is asked for by name
    if (::access(path.c_str(), F_OK) != 0) SW_CHECK(make_directory(path, 0755, job, identity));
  }
  return {};
}

Result<void> make_mount_point(int mount, const std::string& path, const Identity& identity) {
  struct stat wanted{};
  if (::fstat(mount, &wanted) != 0) return fail_errno(errno, "fstat");
  if (::access(path.c_str(), F_OK) == 0) return {};
  SW_CHECK(make_parents(path, identity));
  if (S_ISDIR(wanted.st_mode)) return make_directory(path, 0755, 0, identity);
  return write_file(path, "", identity);
}

}  // namespace slipway::sandbox::native
