// The helper of os/confine.h. Three processes: the outer one holds the lifeline, process 1 of the new namespaces sets
// up and reaps, and the tool.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <fmt/format.h>

#include "os/confine.h"
#include "os/confine_spec.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/seccomp.h"

namespace slipway::os {

namespace {

using Access = Confinement::Path::Access;

constexpr std::size_t kMostSpec = 16U << 20U;
constexpr const char* kRoot = "/tmp";  // where the new root is put together, in our own mount namespace

// What programs are made of. Links (`/bin` → `usr/bin`) are made again.
constexpr const char* kSystem[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"};
// Of /etc, what a network client and the fetching tools read. No keys, no passwords of services.
constexpr const char* kSettings[] = {
    "/etc/resolv.conf",     "/etc/hosts",         "/etc/nsswitch.conf",      "/etc/host.conf",   "/etc/gai.conf",
    "/etc/services",        "/etc/protocols",     "/etc/localtime",          "/etc/ssl/certs",   "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates", "/etc/pki/tls/certs", "/etc/pki/ca-trust",       "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",    "/etc/alternatives",  "/etc/ssh/ssh_known_hosts"};
constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom"};
constexpr unsigned kPlain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

bool is_there(const char* path) {
  struct stat status{};
  return ::stat(path, &status) == 0;
}

Result<void> make_parents(const std::string& path) {
  for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (::mkdir(path.substr(0, slash).c_str(), 0755) != 0 && errno != EEXIST && errno != EROFS) {
      return fail_errno(errno, "making " + path.substr(0, slash));
    }
  }
  return {};
}

Result<void> write_file(const std::string& path, std::string_view text, mode_t mode) {
  SW_CHECK(make_parents(path));
  SW_TRY(const Fd fd, open_file(path, O_WRONLY | O_CREAT | O_TRUNC, mode));
  return write_all(fd.get(), text);
}

// A mount of what lies outside at `path`, taken before anything hides it.
struct Taken {
  std::string path;
  Fd mount;
};

Result<Taken> take(const std::string& path, unsigned attributes) {
  SW_TRY(Fd mount, clone_mount(AT_FDCWD, path, Submounts::included));
  SW_CHECK(restrict_mount(mount.get(), attributes, Submounts::included));
  return Taken{path, std::move(mount)};
}

Result<void> put(const Taken& taken) {
  const std::string target = kRoot + taken.path;
  struct stat status{};
  if (::fstat(taken.mount.get(), &status) != 0) return fail_errno(errno, "fstat");
  if (!is_there(target.c_str())) {
    SW_CHECK(make_parents(target));
    if (S_ISDIR(status.st_mode)) {
      if (::mkdir(target.c_str(), 0755) != 0) return fail_errno(errno, "making " + target);
    } else {
      SW_CHECK(write_file(target, "", 0644));
    }
  }
  return attach_mount(taken.mount.get(), AT_FDCWD, target);
}

struct Link {
  std::string path, target;
};

struct View {
  std::vector<Taken> mounts;
  std::vector<Link> links;
};

Result<View> take_view(const Confinement& confinement) {
  View view;
  for (const char* path : kSystem) {
    struct stat status{};
    if (::lstat(path, &status) != 0) continue;
    if (S_ISLNK(status.st_mode)) {
      char target[4096];
      const ssize_t length = ::readlink(path, target, sizeof target);
      if (length > 0) view.links.push_back({path, std::string(target, static_cast<std::size_t>(length))});
      continue;
    }
    SW_TRY(Taken taken, take(path, kPlain | MOUNT_ATTR_RDONLY));
    view.mounts.push_back(std::move(taken));
  }
  for (const char* path : kSettings) {
    if (!is_there(path)) continue;
    // One that this user may not see is no loss.
    if (auto taken = take(path, kPlain | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC))
      view.mounts.push_back(std::move(*taken));
  }
  for (const char* name : kDevices) {
    SW_TRY(Taken taken, take(std::string("/dev/") + name, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
    view.mounts.push_back(std::move(taken));
  }
  for (const Confinement::Path& path : confinement.paths) {
    SW_TRY(Taken taken, take(path.path, kPlain | (path.access == Access::read ? unsigned{MOUNT_ATTR_RDONLY} : 0U)));
    view.mounts.push_back(std::move(taken));
  }
  return view;
}

Result<void> fill_root(const Confinement& confinement, const View& view) {
  const std::string root = kRoot;
  for (const char* name : {"/tmp", "/proc", "/dev", "/etc"}) {
    if (::mkdir((root + name).c_str(), 0755) != 0) return fail_errno(errno, std::string("making ") + name);
  }
  if (::chmod((root + "/tmp").c_str(), 0700) != 0) return fail_errno(errno, "chmod of /tmp");
  const std::string home = root + std::string(kConfinedHome);
  if (::mkdir(home.c_str(), 0700) != 0) return fail_errno(errno, "making HOME");
  for (const Confinement::File& file : confinement.home) {
    SW_CHECK(write_file(home + "/" + file.name, file.text, 0600));
  }
  SW_CHECK(write_file(root + "/etc/passwd",
                      fmt::format("fetch:x:{}:{}:fetch:{}:/bin/sh\n", ::getuid(), ::getgid(), kConfinedHome), 0644));
  SW_CHECK(write_file(root + "/etc/group", fmt::format("fetch:x:{}:\n", ::getgid()), 0644));
  for (const Link& link : view.links) {
    if (::symlink(link.target.c_str(), (root + link.path).c_str()) != 0)
      return fail_errno(errno, "linking " + link.path);
  }
  for (const Taken& taken : view.mounts) SW_CHECK(put(taken));
  if (::symlink("/proc/self/fd", (root + "/dev/fd").c_str()) != 0) return fail_errno(errno, "linking /dev/fd");
  // Refused where /proc is partly hidden (some containers): the tools do without.
  if (const auto proc = make_mount("proc", {}, kPlain | MOUNT_ATTR_NOEXEC)) {
    SW_CHECK(attach_mount(proc->get(), AT_FDCWD, root + "/proc"));
  }
  return {};
}

Result<void> enter_root(const Confinement& confinement) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail_errno(errno, "own mounts");
  SW_TRY(const View view, take_view(confinement));
  SW_TRY(const Fd root, make_mount("tmpfs", {{"mode", "0755"}, {"size", "1g"}, {"nr_inodes", "100000"}}, kPlain));
  SW_CHECK(attach_mount(root.get(), AT_FDCWD, kRoot));
  SW_CHECK(fill_root(confinement, view));
  if (::chdir(kRoot) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0) return fail_errno(errno, "pivot_root");
  if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) return fail_errno(errno, "leaving the old root");
  return {};
}

Result<void> write_map(const char* file, std::string_view text) {
  SW_TRY(const Fd fd, open_file(file, O_WRONLY));
  return write_all(fd.get(), text);
}

Result<void> enter_namespaces(Confinement::Network network) {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  (void)::setgroups(0, nullptr);  // only root may; nobody else has groups that open more than their own id
  int wanted = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  if (network == Confinement::Network::none) wanted |= CLONE_NEWNET;
  if (::unshare(wanted) != 0) return fail_errno(errno, "new namespaces");
  SW_CHECK(write_map("/proc/self/setgroups", "deny"));
  SW_CHECK(write_map("/proc/self/uid_map", fmt::format("{0} {0} 1\n", user)));
  return write_map("/proc/self/gid_map", fmt::format("{0} {0} 1\n", group));
}

// Abstract unix sockets live in the network namespace, which is the host's: desktops offer services there.
// Linux 6.12 and newer; our headers are older. Best effort by design: there is no other means.
void leave_abstract_sockets() {
  struct {
    std::uint64_t handled_access_fs = 0, handled_access_net = 0, scoped = 1;  // LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
  } rules;
  const Fd set(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0)));
  if (set) (void)::syscall(SYS_landlock_restrict_self, set.get(), 0);
}

Result<void> drop_power(std::uint64_t most_file_bytes) {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return fail_errno(errno, "dropping capabilities");
  }
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);  // old kernels have none
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2]{};
  if (::syscall(SYS_capset, &header, none) != 0) return fail_errno(errno, "dropping capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno(errno, "no_new_privs");
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 && errno != ENOSYS) {
    return fail_errno(errno, "a new session keyring");
  }
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  if (most_file_bytes > 0) {
    const rlimit most{most_file_bytes, most_file_bytes};
    ::setrlimit(RLIMIT_FSIZE, &most);
  }
  leave_abstract_sockets();
  if (!apply_step_filter(Nesting::refused)) return fail_errno(errno, "seccomp");
  return {};
}

int complain(const Error& error) {
  const std::string text = "confine: " + error.what + "\n";
  (void)write_all(STDERR_FILENO, text);  // nobody reads: the owner is gone
  return kConfineFailed;
}

[[noreturn]] void become_tool(const ConfineOrder& order, const std::vector<std::string>& argv) {
  ::close_range(3, ~0U, 0);
  const std::string directory = order.working_dir.empty() ? "/" : order.working_dir;
  if (::chdir(directory.c_str()) != 0) ::_exit(complain(fail_errno(errno, "entering " + directory).error()));
  if (const auto dropped = drop_power(order.confinement.most_file_bytes); !dropped) ::_exit(complain(dropped.error()));
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));  // exec's old type
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  ::_exit(complain(fail_errno(errno, "starting " + argv.front()).error()));
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

// Process 1: as soon as the tool has ended, so does this, and the kernel ends whatever it left running.
int reap(pid_t tool) {
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == tool) return exit_code_of(status);
    if (ended < 0 && errno != EINTR) return kConfineFailed;
  }
}

int be_first(const ConfineOrder& order, const std::vector<std::string>& argv) {
  if (const auto entered = enter_root(order.confinement); !entered) return complain(entered.error());
  const pid_t tool = ::fork();
  if (tool < 0) return complain(fail_errno(errno, "fork").error());
  if (tool == 0) become_tool(order, argv);
  return reap(tool);
}

// The owner's end of the lifeline closes with the owner.
int watch(pid_t first) {
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, first, 0)));
  pollfd watched[] = {{pidfd.get(), POLLIN, 0}, {kConfineLifeline, POLLIN, 0}};
  while (pidfd && ::poll(watched, 2, -1) < 0 && errno == EINTR) {
  }
  if (watched[0].revents == 0) ::kill(first, SIGKILL);
  int status = 0;
  while (::waitpid(first, &status, 0) < 0) {
    if (errno != EINTR) return kConfineFailed;
  }
  return exit_code_of(status);
}

}  // namespace

int run_confine(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2 || arguments[0] != "--") return 2;
  const std::vector<std::string> argv(arguments.begin() + 1, arguments.end());
  const auto text = read_all(kConfineSpec, kMostSpec);
  const auto order = text ? decode_confinement(*text) : Result<ConfineOrder>(std::unexpected(text.error()));
  if (!order) return complain(order.error());
  ::close(kConfineSpec);
  ::umask(022);
  if (const auto entered = enter_namespaces(order->confinement.network); !entered) return complain(entered.error());
  const pid_t first = ::fork();
  if (first < 0) return complain(fail_errno(errno, "fork").error());
  if (first == 0) {
    ::close(kConfineLifeline);
    return be_first(*order, argv);
  }
  return watch(first);
}

}  // namespace slipway::os
