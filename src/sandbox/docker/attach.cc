#include "sandbox/docker/attach.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include <fmt/format.h>

#include "os/files.h"
#include "os/mount.h"
#include "os/user_namespace.h"
#include "sandbox/ids.h"

namespace slipway::sandbox::docker {

namespace {

using os::Submounts;

constexpr unsigned kPlain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

// A mount namespace is a thread's own once it shares no working directory with the others.
Result<void> on_a_thread(const std::function<Result<void>()>& work) {
  Result<void> outcome;
  std::jthread([&] { outcome = work(); }).join();
  return outcome;
}

// Shows `shown` as `appears` and the reverse, everybody else as they are: no id may come twice.
std::string swapped(std::uint32_t shown, std::uint32_t appears) {
  const std::uint32_t low = std::min(shown, appears), high = std::max(shown, appears);
  constexpr std::uint32_t kLast = 0xFFFFFFFE;
  if (low == high) return {};
  std::string text;
  if (low > 0) text += fmt::format("0 0 {}\n", low);
  text += fmt::format("{} {} 1\n", low, high);
  if (high - low > 1) text += fmt::format("{0} {0} {1}\n", low + 1, high - low - 1);
  text += fmt::format("{} {} 1\n", high, low);
  if (high < kLast) text += fmt::format("{0} {0} {1}\n", high + 1, kLast - high);
  return text;
}

Result<void> make_given(const std::string& path, mode_t mode, std::uint32_t owner) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail_errno(errno, "making " + path);
  if (::chown(path.c_str(), owner, owner) != 0) return fail_errno(errno, "giving " + path + " to its owner");
  return {};
}

// Mount::replaced into an overlay's upper layer that is not in use yet.
Result<void> write_replaced(const std::string& layer, const Mount& mount, std::uint32_t owner) {
  for (const auto& [name, text] : mount.replaced) {
    for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      SW_CHECK(make_given(layer + "/" + name.substr(0, slash), 0755, owner));
    }
    const std::string path = layer + "/" + name;
    SW_TRY(const os::Fd file, os::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
    SW_CHECK(os::write_all(file.get(), text));
    if (::fchown(file.get(), owner, owner) != 0) return fail_errno(errno, "giving " + path + " to its owner");
  }
  return {};
}

std::uint32_t owner_inside(const Mount& mount, std::uint32_t job_id) { return mount.of_source ? kSourceId : job_id; }

unsigned read_only_attributes(const Mount& mount) {
  return MOUNT_ATTR_RDONLY | kPlain | (mount.plain_data ? MOUNT_ATTR_NOEXEC : 0U);
}

// Mount::hidden: a whiteout each, as overlayfs has them.
Result<void> write_hidden(const std::string& layer, const Mount& mount) {
  for (const std::string& name : mount.hidden) {
    if (::mknod((layer + "/" + name).c_str(), S_IFCHR, 0) != 0) return fail_errno(errno, "hiding " + name);
  }
  return {};
}

// In a mount namespace of its own, standing in an empty directory.
Result<os::Fd> make_one(const Mount& wanted, int shown_through, std::uint32_t owner, std::size_t number) {
  const std::string outside = wanted.outside.string();
  if (wanted.kind == Mount::Kind::read_only && wanted.replaced.empty() && wanted.hidden.empty()) {
    SW_TRY(os::Fd mount, os::clone_mount(AT_FDCWD, outside, Submounts::included));
    SW_CHECK(os::restrict_mount(mount.get(), read_only_attributes(wanted), Submounts::included, shown_through));
    return mount;
  }
  const std::string lower = fmt::format("l{}", number), upper = fmt::format("u{}", number),
                    work = fmt::format("w{}", number);
  SW_CHECK(make_given(upper, 0755, owner));
  SW_CHECK(make_given(work, 0700, 0));
  SW_CHECK(make_given(lower, 0700, 0));
  SW_CHECK(write_replaced(upper, wanted, owner));
  SW_CHECK(write_hidden(upper, wanted));
  SW_TRY(const os::Fd shown, os::clone_mount(AT_FDCWD, outside, Submounts::left_out));
  SW_CHECK(os::restrict_mount(shown.get(), MOUNT_ATTR_RDONLY, Submounts::left_out, shown_through));
  SW_CHECK(os::attach_mount(shown.get(), AT_FDCWD, lower));
  // Nothing of a sandbox survives it: no syncs. Directories of the lower layer can be renamed.
  SW_TRY(os::Fd mount,
         os::make_mount(
             "overlay",
             {{"lowerdir", lower}, {"upperdir", upper}, {"workdir", work}, {"volatile", ""}, {"redirect_dir", "on"}},
             kPlain));
  if (wanted.kind == Mount::Kind::read_only) {
    SW_CHECK(os::restrict_mount(mount.get(), read_only_attributes(wanted), Submounts::left_out));
  }
  if (wanted.of_source) SW_CHECK(os::restrict_mount(mount.get(), kPlain | MOUNT_ATTR_NOEXEC, Submounts::left_out));
  return mount;
}

}  // namespace

Result<os::Fd> MountMaker::owner_namespace(const Mount& mount, std::uint32_t appears) {
  struct stat status{};
  if (!mount.owner) return os::Fd();
  if (::stat(mount.outside.c_str(), &status) != 0) return fail_errno(errno, mount.outside.string());
  const os::IdMap map{swapped(*mount.owner, appears), swapped(status.st_gid, appears)};
  if (map.users.empty() && map.groups.empty()) return os::Fd();
  const std::string whole = "0 0 4294967294\n";
  const std::string key = map.users + "|" + map.groups;
  const auto copy_of_known = [&] {
    return namespaces_.with([&](std::map<std::string, os::Fd>& known) {
      const auto found = known.find(key);
      return os::Fd(found == known.end() ? -1 : ::fcntl(found->second.get(), F_DUPFD_CLOEXEC, 3));
    });
  };
  if (os::Fd known = copy_of_known()) return known;
  SW_TRY(os::Fd made,
         os::make_user_namespace({map.users.empty() ? whole : map.users, map.groups.empty() ? whole : map.groups}));
  constexpr std::size_t kMost = 1024;
  namespaces_.with([&](std::map<std::string, os::Fd>& known) {
    if (known.size() >= kMost) known.clear();
    known.insert_or_assign(key, os::Fd(::fcntl(made.get(), F_DUPFD_CLOEXEC, 3)));
  });
  return made;
}

Result<std::vector<MadeMount>> MountMaker::make(const std::vector<Mount>& mounts, std::uint32_t job_id,
                                                const std::filesystem::path& layers) {
  std::vector<os::Fd> owners;
  for (const Mount& mount : mounts) {
    SW_TRY(owners.emplace_back(), owner_namespace(mount, owner_inside(mount, job_id)));
  }
  SW_CHECK(os::make_directories(layers, 0700));
  std::vector<MadeMount> made;
  SW_CHECK(on_a_thread([&]() -> Result<void> {
    if (::unshare(CLONE_NEWNS) != 0) return fail_errno(errno, "a mount namespace");
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail_errno(errno, "own mounts");
    if (::chdir(layers.c_str()) != 0) return fail_errno(errno, layers.string());
    for (std::size_t i = 0; i < mounts.size(); ++i) {
      auto one = make_one(mounts[i], owners[i].get(), owner_inside(mounts[i], job_id), i);
      if (!one) return wrap(one.error(), mounts[i].outside.string());
      made.push_back({std::move(*one), mounts[i].inside});
    }
    return {};
  }));
  return made;
}

Result<void> attach(const std::vector<MadeMount>& mounts, pid_t process) {
  SW_TRY(const os::Fd target, os::open_file(fmt::format("/proc/{}/ns/mnt", process), O_RDONLY));
  return on_a_thread([&]() -> Result<void> {
    if (::unshare(CLONE_FS) != 0) return fail_errno(errno, "a working directory of its own");
    if (::setns(target.get(), CLONE_NEWNS) != 0) return fail_errno(errno, "entering the container's mounts");
    for (const MadeMount& one : mounts) {
      if (auto done = os::attach_mount(one.mount.get(), AT_FDCWD, one.inside); !done)
        return wrap(done.error(), one.inside);
    }
    return {};
  });
}

}  // namespace slipway::sandbox::docker
