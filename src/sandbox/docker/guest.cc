#include "sandbox/docker/guest.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fmt/format.h>

#include "net/unix_socket.h"
#include "os/bundle.h"
#include "os/files.h"
#include "os/message_socket.h"
#include "os/user_namespace.h"
#include "sandbox/become_init.h"
#include "sandbox/docker/setup.h"
#include "sandbox/identity_files.h"
#include "sandbox/ids.h"
#include "sandbox/private_network.h"

namespace slipway::sandbox::docker {

namespace {

constexpr auto kSetUpWithin = std::chrono::minutes(10);  // a large tree is unpacked in it

Result<void> give(const std::string& path, std::uint32_t owner) {
  if (::lchown(path.c_str(), owner, owner) != 0) return fail_errno(errno, "giving " + path + " to its owner");
  return {};
}

// What an image brings along stays as it is; missing parents are root's.
Result<void> make_directory(const std::string& path, mode_t mode, std::uint32_t owner) {
  if (::access(path.c_str(), F_OK) == 0) return {};
  if (const auto slash = path.rfind('/'); slash != std::string::npos && slash > 0) {
    SW_CHECK(make_directory(path.substr(0, slash), 0755, 0));
  }
  if (::mkdir(path.c_str(), mode) != 0) return fail_errno(errno, "making " + path);
  if (::chmod(path.c_str(), mode) != 0) return fail_errno(errno, "making " + path);
  return give(path, owner);
}

// A new file: what was there, a link included, is not followed but replaced.
Result<void> write_file(const std::string& path, std::string_view text) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "replacing " + path);
  SW_TRY(const os::Fd file, os::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  return os::write_all(file.get(), text);
}

Result<void> name_the_users() {
  SW_TRY(const IdentityFiles files, identity_files_of_image());
  SW_CHECK(write_file("/etc/passwd", files.passwd));
  return write_file("/etc/group", files.group);
}

Result<void> make_directories(const Setup& setup) {
  struct Directory {
    std::string path;
    mode_t mode;
    std::uint32_t owner;
  };
  if (!setup.read_only_root) {
    SW_CHECK(make_directory("/etc", 0755, 0));
    SW_CHECK(name_the_users());
  }
  if (!setup.read_only_root) SW_CHECK(make_directory("/root", 0700, 0));
  for (const Directory& one : {Directory{"/tmp", 01777, 0},
                               {"/var/tmp", 01777, 0},
                               {"/run/lock", 01777, 0},
                               {"/home/runner", 0755, kRunnerId},
                               {setup.workspace, 0755, setup.job_id}}) {
    SW_CHECK(make_directory(one.path, one.mode, one.owner));
  }
  for (const std::string& path : {std::string("/home/runner"), setup.workspace}) {  // a mount of Docker's is root's
    SW_CHECK(give(path, path == setup.workspace ? setup.job_id : kRunnerId));
  }
  for (const std::string& point : setup.mount_points) SW_CHECK(make_directory(point, 0755, setup.job_id));
  for (const char* name : {"/src", "/artifacts"}) {
    SW_CHECK(make_directory(setup.workspace + name, 0755, setup.job_id));
  }
  // Mounts of the container's own: Docker cannot give them to a user.
  const std::string secrets = setup.workspace + "/secrets";
  for (const std::string& path : {std::string("/run/slipway"), std::string("/run/slipway/bin"), secrets}) {
    SW_CHECK(give(path, kInitId));
  }
  if (::chmod(secrets.c_str(), 0711) != 0 || ::chmod("/run/slipway", 0755) != 0) {
    return fail_errno(errno, "closing " + secrets);
  }
  return {};
}

// --- trees that travel ---

Result<void> write_replaced(const os::Fd& root, const Contents::Tree& tree) {
  for (const auto& [name, text] : tree.replaced) {
    if (const auto slash = name.rfind('/'); slash != std::string::npos) {
      SW_CHECK(os::make_directories(std::filesystem::path(tree.inside) / name.substr(0, slash), 0755));
    }
    const os::Fd file(::openat(root.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!file) return fail_errno(errno, "writing " + name);
    SW_CHECK(os::write_all(file.get(), text));
  }
  return {};
}

Result<void> unpack(const Contents::Tree& tree, int bundle) {
  SW_TRY(const os::Fd root, os::open_file(tree.inside, O_RDONLY | O_DIRECTORY));
  if (tree.has_bundle) {
    auto unpacked = os::unpack(bundle, root.get(), os::Links::kept, {});
    if (!unpacked) return wrap(unpacked.error(), tree.inside);
  }
  return write_replaced(root, tree);
}

// In a process of the job's user: nothing of what it makes is anybody else's.
Result<void> unpack_as(std::uint32_t owner, const Contents& contents, const std::vector<os::Fd>& bundles) {
  SW_TRY(os::Pipe pipe, os::make_pipe());
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) {
    std::vector<int> kept = {pipe.write.get()};
    for (const os::Fd& bundle : bundles) kept.push_back(bundle.get());
    os::close_all_but(kept);
    Result<void> done;
    if (::setresgid(owner, owner, owner) != 0 || ::setresuid(owner, owner, owner) != 0) {
      done = fail_errno(errno, "taking the job's identity");
    }
    ::umask(022);
    std::size_t next = 0;
    for (const Contents::Tree& tree : contents.trees) {
      if (done) done = unpack(tree, tree.has_bundle ? bundles[next++].get() : -1);
    }
    if (!done) (void)os::write_all(pipe.write.get(), done.error().what);  // the exit status tells that there was one
    ::_exit(done ? 0 : 1);
  }
  pipe.write.reset();
  const std::string told = os::read_all(pipe.read.get(), 1U << 16U).value_or("");
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorKind::unavailable, "unpacking the source: " + (told.empty() ? "its process was ended" : told));
}

// --- who init and the steps are ---

struct Namespaces {
  os::Fd sandbox, root_steps;
};

// The ids are those of the container; init and the steps have them in namespaces that have power over nothing.
Result<Namespaces> make_namespaces() {
  const std::string all = fmt::format("0 0 {}\n", kNobodyId + 1);
  const std::string for_root = fmt::format("0 0 {0}\n{1} {1} 1\n", kInitId, kNobodyId);
  Namespaces made;
  SW_TRY(made.sandbox, os::make_user_namespace({all, all}));
  SW_TRY(made.root_steps, os::make_nested_user_namespace(made.sandbox.get(), kInitId, {for_root, for_root}));
  return made;
}

// --- the network of a job and its services ---

// For services of the job: only who may change its network can open one, and only who may change its own can use it.
Result<std::vector<os::Fd>> open_links(std::size_t services) {
  std::vector<os::Fd> links;
  for (std::size_t i = 0; i < services; ++i) {
    SW_TRY(os::RouteSocket link, os::RouteSocket::open());
    links.push_back(std::move(link).into_fd());
  }
  return links;
}

Result<void> join_job(std::size_t service, std::vector<os::Fd> given) {
  if (given.size() != 1) return fail(ErrorKind::invalid, "the way to the job's network is missing");
  os::RouteSocket job(std::move(given.front()));
  if (auto joined = link_with_job(service, job); !joined) return wrap(joined.error(), "network");
  return {};
}

struct Guest {
  os::MessageSocket leash;
  init::Entry entry;
  Setup setup;
  std::vector<os::Fd> links;

  Result<void> set_up() {
    const os::CallLimit limit = os::within(kSetUpWithin);
    SW_TRY(os::Message first, leash.receive(limit));
    SW_TRY(setup, decode_setup(first.text));
    if (setup.service) SW_CHECK(join_job(*setup.service, std::move(first.fds)));
    SW_TRY(links, open_links(setup.services));
    SW_CHECK(make_directories(setup));
    SW_CHECK(leash.send("{}", {}, limit));
    SW_TRY(os::Message second, leash.receive(limit));
    SW_TRY(const Contents contents, decode_contents(second.text));
    const auto wanted = std::count_if(contents.trees.begin(), contents.trees.end(),
                                      [](const Contents::Tree& tree) { return tree.has_bundle; });
    // Last, and not before: it is a directory of the host's, where an image's links could lead (/proc/self/fd/N/..).
    if (setup.memory_group_version != 0 && !second.fds.empty()) {
      std::vector<os::CgroupDirectory> groups;
      groups.push_back({std::move(second.fds.back()), setup.memory_group_version, os::CgroupDirectory::memory,
                        os::CgroupDirectory::Use::watched});
      second.fds.pop_back();
      entry.cgroups = os::StepCgroups(std::move(groups));
    }
    if (static_cast<std::size_t>(wanted) != second.fds.size())
      return fail(ErrorKind::invalid, "the trees lack their bundles");
    if (!contents.trees.empty()) SW_CHECK(unpack_as(setup.job_id, contents, second.fds));
    return {};
  }

  Result<void> become() {
    Ready ready;
    auto namespaces = make_namespaces();
    if (!namespaces) {
      // Weaker without: then root is refused, and what stays of init's power are the container's capabilities.
      ready.no_root_steps = namespaces.error().what;
      namespaces = Namespaces{};
    }
    SW_CHECK(become_init({.user_namespace = namespaces->sandbox.get(), .id = kInitId}));
    entry.root_namespace = std::move(namespaces->root_steps);
    entry.workspace = setup.workspace;
    entry.runner_id = kRunnerId;
    entry.own_id = kInitId;
    // Root of a container is the id that owns the files in /proc of a process that hides itself. Those of one that does
    // not are its own user's, which no step can be, and every look into it is refused by that.
    entry.self_files = init::Entry::SelfFiles::of_own_id;
    std::vector<int> fds;
    fds.reserve(links.size());
    for (const os::Fd& link : links) fds.push_back(link.get());
    SW_CHECK(leash.send(encode(ready), fds, os::within(kSetUpWithin)));
    links.clear();
    return {};
  }
};

void detach_from_daemon() {
  ::setsid();  // refused for process 1, which leads a session already
  ::umask(022);
  ::signal(SIGPIPE, SIG_IGN);
  if (const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0) {
    for (const int fd : {0, 1, 2}) ::dup2(null, fd);
    if (null > 2) ::close(null);
  }
}

}  // namespace

int run_guest(init::EntryPoint entry) {
  if (::getpid() != 1) return 2;  // a step that calls it by hand
  auto socket = net::connect_unix(kLeashInside);
  if (!socket) return 1;  // the owner is gone
  detach_from_daemon();
  Guest guest{os::MessageSocket(std::move(*socket)), {}, {}, {}};
  auto done = guest.set_up();
  if (done) done = guest.become();
  if (!done) {
    (void)guest.leash.send(encode(done.error()), {}, os::within(std::chrono::seconds(5)));  // nobody else to tell
    return 1;
  }
  guest.entry.leash = os::Fd(::fcntl(guest.leash.fd(), F_DUPFD_CLOEXEC, 3));
  {
    const os::MessageSocket done_with(std::move(guest.leash));
  }
  return entry(std::move(guest.entry));
}

}  // namespace slipway::sandbox::docker
