// Where groups may be made: reads the mounts and this process's own group, once.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "os/cgroup.h"
#include "os/files.h"

namespace slipway::os {

namespace {

constexpr std::size_t kMaxFile = 4U << 20U;
constexpr const char* kGroupName = "slipway";

struct Hierarchy {
  std::string mount_point, mount_root;
  int version = 1;
  unsigned controllers = 0;
  std::string names;  // of v1 controllers, as /proc/self/cgroup has them
};

unsigned controller_bit(std::string_view name) {
  if (name == "memory") return CgroupDirectory::memory;
  if (name == "pids") return CgroupDirectory::pids;
  if (name == "cpu") return CgroupDirectory::cpu;
  if (name == "cpuacct") return CgroupDirectory::cpuacct;
  if (name == "blkio" || name == "io") return CgroupDirectory::io;
  return 0;
}

unsigned bits_of(std::string_view names, char separator) {
  unsigned bits = 0;
  for (const std::string_view name : split(names, separator)) bits |= controller_bit(trim(name));
  return bits;
}

// mountinfo: `36 35 98:0 /root /mount/point options [tags] - type source super_options`
std::vector<Hierarchy> hierarchies() {
  std::vector<Hierarchy> found;
  const auto text = read_file("/proc/self/mountinfo", kMaxFile);
  if (!text) return found;
  for (const std::string_view line : split(*text, '\n')) {
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto head = split(line.substr(0, dash), ' ');
    const auto tail = split(line.substr(dash + 3), ' ');
    if (head.size() < 6 || tail.size() < 3) continue;
    Hierarchy one;
    one.mount_root = head[3];
    one.mount_point = head[4];
    if (tail[0] == "cgroup") {
      one.controllers = bits_of(tail[2], ',');
    } else if (tail[0] == "cgroup2") {
      one.version = 2;
      one.controllers = bits_of(read_file(one.mount_point + "/cgroup.controllers", kMaxFile).value_or(""), ' ');
    }
    if (one.controllers != 0) found.push_back(std::move(one));
  }
  return found;
}

// The group of the process that `/proc/WHO/cgroup` is of in `hierarchy`, as a directory below its mount point.
std::string directory_of(const std::string& who, const Hierarchy& hierarchy) {
  const auto text = read_file("/proc/" + who + "/cgroup", kMaxFile);
  if (!text) return hierarchy.mount_point;
  for (const std::string_view line : split(*text, '\n')) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view names = line.substr(first + 1, second - first - 1);
    const bool match = hierarchy.version == 2 ? names.empty() : (bits_of(names, ',') & hierarchy.controllers) != 0;
    if (!match) continue;
    std::string_view path = line.substr(second + 1);
    if (hierarchy.mount_root != "/" && path.starts_with(hierarchy.mount_root)) {
      path.remove_prefix(hierarchy.mount_root.size());
    }
    const std::string directory = path == "/" ? hierarchy.mount_point : hierarchy.mount_point + std::string(path);
    // In a container the path may be the host's and not exist here: the top of the mount is then our own group.
    return ::access(directory.c_str(), F_OK) == 0 ? directory : hierarchy.mount_point;
  }
  return hierarchy.mount_point;
}

std::string own_directory(const Hierarchy& hierarchy) { return directory_of("self", hierarchy); }

bool write_text(const std::string& path, std::string_view text) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Turns the controllers on for children of `directory`. False: not allowed, or processes live in it.
bool enable_for_children(const std::string& directory, unsigned controllers) {
  const std::string path = directory + "/cgroup.subtree_control";
  const unsigned have = bits_of(read_file(path, kMaxFile).value_or(""), ' ');
  for (const auto& [bit, name] : {std::pair{CgroupDirectory::memory, "+memory"},
                                  {CgroupDirectory::pids, "+pids"},
                                  {CgroupDirectory::cpu, "+cpu"},
                                  {CgroupDirectory::io, "+io"}}) {
    if ((controllers & bit) != 0 && (have & bit) == 0 && !write_text(path, name)) return false;
  }
  return true;
}

// Is the group `directory` handed to us, with the right to arrange all that lives in it? It is ours, and what is above
// it is not; or systemd says so (it also makes groups of ours that it keeps to itself).
bool is_delegated(const Hierarchy& hierarchy, const std::string& directory) {
  if (directory == hierarchy.mount_point) return true;  // of a container
  char mark[8];
  if (::getxattr(directory.c_str(), "user.delegate", mark, sizeof mark) == 1 && mark[0] == '1') return true;
  const auto is_ours = [](const std::string& path) { return ::access((path + "/cgroup.procs").c_str(), W_OK) == 0; };
  const std::string above = directory.substr(0, directory.rfind('/'));
  struct stat status{};
  return is_ours(directory) && ::stat(above.c_str(), &status) == 0 && status.st_uid != ::geteuid();
}

constexpr const char* kMainLeaf = "/slipway-main";

// No process may live where controllers are handed down: all of `own` steps into a leaf, if we are alone there or it is
// handed to us as a whole (a shell in `systemd-run --user --scope -p Delegate=yes`).
bool step_into_leaf(const Hierarchy& hierarchy, const std::string& own) {
  const auto living = [&] { return read_file(own + "/cgroup.procs", kMaxFile).value_or(""); };
  if (trim(living()) != std::to_string(::getpid()) && !is_delegated(hierarchy, own)) return false;
  const std::string leaf = own + kMainLeaf;
  if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return false;
  constexpr int kTurns = 8;  // what forks meanwhile comes next
  for (int turn = 0; turn < kTurns; ++turn) {
    const std::string all = living();
    if (trim(all).empty()) break;
    for (const std::string_view process : split(trim(all), '\n')) {
      // One that has ended meanwhile needs no leaf; another's that stays shows when controllers are enabled.
      (void)write_text(leaf + "/cgroup.procs", process);
    }
  }
  return enable_for_children(own, hierarchy.controllers);
}

// v2: the directory below which sandboxes get their groups, ready to hand controllers down. Empty: none.
std::string delegated_directory(const Hierarchy& hierarchy) {
  std::string own = own_directory(hierarchy);
  if (own.ends_with(kMainLeaf)) own.resize(own.size() - std::string_view(kMainLeaf).size());  // another slipway's work
  std::vector<std::string> candidates;
  if (::geteuid() == 0) candidates.push_back(hierarchy.mount_point);  // no need to move ourselves
  candidates.push_back(own);
  for (const std::string& candidate : candidates) {
    if (!enable_for_children(candidate, hierarchy.controllers)) {
      if (candidate != own || !step_into_leaf(hierarchy, own)) continue;
    }
    const std::string directory = candidate + "/" + kGroupName;
    if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) continue;
    if (::access((directory + "/cgroup.subtree_control").c_str(), W_OK) != 0) continue;
    if (enable_for_children(directory, hierarchy.controllers)) return directory;
  }
  return "";
}

std::string usable_directory(const Hierarchy& hierarchy) {
  if (hierarchy.version == 2) return delegated_directory(hierarchy);
  const std::string directory = own_directory(hierarchy) + "/" + kGroupName;
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return "";
  return ::access(directory.c_str(), W_OK) == 0 ? directory : "";
}

}  // namespace

std::vector<CgroupDirectory> groups_of(pid_t process) {
  constexpr unsigned kCounting = CgroupDirectory::memory | CgroupDirectory::cpuacct | CgroupDirectory::cpu;
  std::vector<CgroupDirectory> found;
  unsigned taken = 0;
  for (const Hierarchy& hierarchy : hierarchies()) {
    const unsigned fresh = hierarchy.controllers & kCounting & ~taken;
    if (fresh == 0) continue;
    const std::string path = directory_of(std::to_string(process), hierarchy);
    if (path == hierarchy.mount_point) continue;  // the whole machine's, or not to be seen from here
    Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) continue;
    taken |= fresh;
    found.push_back({std::move(fd), hierarchy.version, fresh, CgroupDirectory::Use::watched});
  }
  return found;
}

CgroupRoot CgroupRoot::open() {
  CgroupRoot root;
  unsigned taken = 0;
  for (const Hierarchy& hierarchy : hierarchies()) {
    const unsigned fresh = hierarchy.controllers & ~taken;
    if (fresh == 0) continue;  // the same hierarchy mounted twice
    const std::string directory = usable_directory(hierarchy);
    if (directory.empty()) continue;
    Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) continue;
    taken |= fresh;
    root.parents_.push_back({std::move(fd), directory, hierarchy.version, hierarchy.controllers});
    if (hierarchy.version == 2) root.support_.step_figures = true;
    const std::string place = hierarchy.version == 2 ? "v2 below " + directory : "v1";
    if (root.support_.place.find(place) == std::string::npos) {
      root.support_.place += (root.support_.place.empty() ? "" : " and ") + place;
    }
  }
  root.support_.io_figures = (taken & CgroupDirectory::io) != 0;
  root.support_.memory = (taken & CgroupDirectory::memory) != 0;
  root.support_.pids = (taken & CgroupDirectory::pids) != 0;
  root.support_.cpus = (taken & CgroupDirectory::cpu) != 0;
  root.support_.step_figures |= (taken & (CgroupDirectory::cpuacct | CgroupDirectory::memory)) != 0;
  const auto missing = [&](bool held, const char* what) {
    if (held) return;
    root.support_.notes.push_back(
        std::string("no ") + what + " limit: " +
        (::geteuid() == 0 ? "the control group hierarchy is missing or read-only"
                          : "start slipway below a delegated group (`systemd-run --user --scope -p Delegate=yes`)"));
  };
  missing(root.support_.memory, "memory");
  missing(root.support_.pids, "process");
  missing(root.support_.cpus, "CPU");
  return root;
}

}  // namespace slipway::os
