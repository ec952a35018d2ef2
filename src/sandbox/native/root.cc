#include "sandbox/native/root.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/text.h"
#include "os/files.h"
#include "os/mount.h"
#include "sandbox/native/beside.h"
#include "sandbox/native/owners.h"
#include "sandbox/native/root_files.h"

// Order: everything that needs the host's paths is made detached first; then the process moves into the new root; then
// what was made is attached by paths of the new root, so that no link in an image can lead out of it.

namespace slipway::sandbox::native {

namespace {

using os::Submounts;

constexpr unsigned kPlain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr std::uint64_t kSmallTmpfsBytes = 64U << 20U;
constexpr std::uint64_t kOwnFiles = 10'000;  // of init: a script and a socket a step, a file a secret

struct Prepared {
  os::Fd mount;
  std::string inside;
  unsigned attributes = 0;  // to be added
};

class RootBuilder {
 public:
  RootBuilder(const SetupSpec& spec, const HostLayout& host, const Identity& identity, const RootNamespaces& namespaces)
      : spec_(spec), host_(host), identity_(identity), namespaces_(namespaces) {}

  Result<void> build() {
    if (spec_.sandbox.beside) {
      SW_TRY(beside_, take_mounts_of_job(spec_.sandbox, namespaces_.job_process, namespaces_.shared));
    }
    SW_CHECK(place_disk());
    SW_CHECK(prepare_volatile());
    SW_CHECK(prepare_root());
    SW_CHECK(prepare_mounts());
    SW_CHECK(prepare_kernel_views());
    SW_CHECK(change_root());
    SW_CHECK(fill());
    SW_CHECK(mount_kernel_views());
    SW_CHECK(attach_mounts());
    if (spec_.sandbox.read_only_root) SW_CHECK(make_root_read_only());
    return {};
  }

  /// Of a sibling, once built.
  Result<os::Fd> source() const {
    if (!spec_.sandbox.beside) return os::Fd();
    return os::clone_mount(AT_FDCWD, spec_.sandbox.workspace + "/src", Submounts::left_out);
  }

 private:
  bool of_host() const { return spec_.sandbox.image == "host"; }
  // Only who has power over a file system may show its files as another's.
  bool may_remap() const { return identity_.kind() == Identity::Kind::root; }
  bool in_memory() const { return spec_.disk == SetupSpec::Disk::memory; }

  // The writable layers' file system, with the process standing in it.
  Result<void> place_disk() {
    os::Fd mount;
    if (in_memory()) {
      // The size counts pages; the directories and links below cost none of them.
      SW_TRY(mount, os::make_mount("tmpfs", {{"size", std::to_string(spec_.disk_bytes)}, {"mode", "0755"}}, 0));
    } else {
      SW_TRY(mount, os::clone_mount(AT_FDCWD, spec_.disk_path, Submounts::left_out));
    }
    SW_CHECK(os::attach_mount(mount.get(), AT_FDCWD, "."));
    if (::fchdir(mount.get()) != 0) return fail_errno(errno, "entering the disk");
    return {};
  }

  // /dev and /run never lie on a disk.
  Result<void> prepare_volatile() {
    if (::mkdir("v", 0755) != 0) return fail_errno(errno, "making a directory");
    if (!in_memory()) {
      SW_TRY(const os::Fd mount,
             os::make_mount("tmpfs", {{"size", std::to_string(kSmallTmpfsBytes)}, {"mode", "0755"}}, 0));
      SW_CHECK(os::attach_mount(mount.get(), AT_FDCWD, "v"));
    }
    for (const char* name : {"v/dev", "v/run", "v/none"}) {
      SW_CHECK(make_owned(name));
    }
    SW_CHECK(make_devices("v/dev", identity_));
    for (const std::string& name : spec_.sandbox.devices) {
      SW_CHECK(make_device("v/dev", name, job_id(spec_.sandbox.run_as), identity_));
    }
    for (const auto& [name, inside] : {std::pair{"v/dev", "/dev"}, {"v/run", "/run"}}) {
      SW_TRY(os::Fd mount, os::clone_mount(AT_FDCWD, name, Submounts::included));  // rootless devices are mounts
      prepared_.push_back({std::move(mount), inside});
    }
    SW_TRY(nothing_, os::clone_mount(AT_FDCWD, "v/none", Submounts::left_out));
    return os::restrict_mount(nothing_.get(), MOUNT_ATTR_RDONLY, Submounts::left_out);
  }

  // What init writes for the job, each apart from what the job can fill. A mount point can be neither moved nor
  // removed.
  Result<void> mount_own(const std::string& path, const char* mode) {
    const std::string owner = std::to_string(identity_.outside(identity_.init_id()));
    SW_TRY(const os::Fd mount, os::make_mount("tmpfs",
                                              {{"size", std::to_string(kSmallTmpfsBytes)},
                                               {"nr_inodes", std::to_string(kOwnFiles)},
                                               {"mode", mode},
                                               {"uid", owner},
                                               {"gid", owner}},
                                              kPlain | MOUNT_ATTR_NOEXEC));
    return attach_at(mount, path);
  }

  Result<void> make_owned(const char* name) {
    const std::uint32_t owner = identity_.outside(0);
    if (::mkdir(name, 0755) == 0 && ::chown(name, owner, owner) == 0) return {};
    return fail_errno(errno, std::string("making ") + name);
  }

  Result<void> prepare_root() {
    if (!of_host()) {
      const bool by_name = !spec_.sandbox.image.starts_with('/');
      const std::vector<std::string> lowers = by_name ? spec_.layers : std::vector{spec_.sandbox.image};
      SW_TRY(root_, overlay_of(lowers, may_remap() ? namespaces_.sandbox : -1, 0));
      return prepare_workspace();
    }
    SW_CHECK(make_owned("r"));
    SW_TRY(root_, os::clone_mount(AT_FDCWD, "r", Submounts::left_out));
    for (const std::string& directory : host_.shown) {
      SW_TRY(os::Fd mount, overlay_of(directory, -1, 0));
      if (directory == "/etc") SW_CHECK(write_identity_files(last_upper_, spec_, host_, identity_));
      if (directory == "/usr") SW_CHECK(make_local_directories(last_upper_, identity_));
      system_.push_back({std::move(mount), directory});
    }
    return {};
  }

  // Plain files of the disk, not of the image's overlay: only those can be shared with a sibling.
  Result<void> prepare_workspace() {
    const std::uint32_t owner = identity_.outside(job_id(spec_.sandbox.run_as));
    if (::mkdir("j", 0755) != 0 || ::chown("j", owner, owner) != 0) return fail_errno(errno, "making the workspace");
    SW_TRY(os::Fd mount, os::clone_mount(AT_FDCWD, "j", Submounts::left_out));
    prepared_.push_back({std::move(mount), spec_.sandbox.workspace});
    return {};
  }

  Result<os::Fd> overlay_of(const std::string& lower, int user_namespace, std::uint32_t owner_inside,
                            const Mount* wanted = nullptr) {
    return overlay_of(std::vector{lower}, user_namespace, owner_inside, wanted);
  }

  // Directories as overlayfs takes them, the topmost first. True: their file system cannot show their files as
  // `user_namespace` has them.
  Result<bool> add_lowers(const std::vector<std::string>& lowers, int user_namespace, os::MountOptions& options) {
    bool mapped = user_namespace >= 0;
    std::vector<std::string> names;
    for (const std::string& lower : lowers) {
      const std::string at = "l" + std::to_string(lowers_++);
      SW_TRY(std::string shown, mapped ? shown_lower(lower, at, user_namespace) : std::string());
      if (shown.empty()) mapped = false;  // of them all: they lie together
      if (shown.empty() && lowers.size() == 1) {
        SW_TRY(shown, os::lower_directory(lower, keep_open_));
      } else if (shown.empty()) {
        SW_TRY(shown, shown_lower(lower, at, -1));
      }
      names.push_back(std::move(shown));
    }
    const bool by_layer = user_namespace >= 0 && !mapped && !names.empty();
    if (names.empty()) names.emplace_back("v/none");  // an image without any file
    options.emplace_back(kLowers, join(names, ":"));
    return by_layer;
  }

  static constexpr const char* kLowers = "lowerdir";

  static Result<os::Fd> make_overlay(const os::MountOptions& options) {
    constexpr std::size_t kMost = 255;  // of an option's value
    const auto lowers = std::ranges::find(options, kLowers, &os::MountOptions::value_type::first);
    if (lowers == options.end() || lowers->second.size() <= kMost) return os::make_mount("overlay", options, kPlain);
    // `lowerdir+`, one at a time, takes Linux 6.5.
    if (::mkdir("o", 0700) != 0 && errno != EEXIST) return fail_errno(errno, "making a mount point");
    return os::make_mount_at("o", "overlay", options, kPlain);
  }

  // A writable view of `lowers`. `owner_inside` owns its top.
  Result<os::Fd> overlay_of(const std::vector<std::string>& lowers, int user_namespace, std::uint32_t owner_inside,
                            const Mount* wanted = nullptr) {
    const std::string number = std::to_string(layers_++);
    const std::string upper = "u" + number, work = "w" + number;
    if (::mkdir(upper.c_str(), 0755) != 0 || ::mkdir(work.c_str(), 0700) != 0)
      return fail_errno(errno, "making a layer");
    const std::uint32_t owner = identity_.outside(owner_inside);
    if (::chown(upper.c_str(), owner, owner) != 0) return fail_errno(errno, "giving a layer to its owner");
    if (wanted != nullptr) {  // before it is in use
      SW_CHECK(write_replaced(upper, wanted->replaced, owner_inside, identity_));
      SW_CHECK(write_hidden(upper, wanted->hidden));
    }
    os::MountOptions options;
    SW_TRY(const bool by_layer, add_lowers(lowers, user_namespace, options));
    options.emplace_back("upperdir", upper);
    options.emplace_back("workdir", work);
    if (!in_memory()) options.emplace_back("volatile", "");  // nothing of a sandbox survives it: no syncs
    // Else renaming a directory of the lower layer fails, which programs do not expect.
    options.emplace_back(identity_.kind() == Identity::Kind::root ? std::pair("redirect_dir", "on")
                                                                  : std::pair("userxattr", ""));
    if (by_layer) options.emplace_back("metacopy", "on");
    auto mount = make_overlay(options);
    if (!mount)
      return wrap(mount.error(), "an overlay of " + (lowers.size() == 1 ? lowers.front() : spec_.sandbox.image));
    if (by_layer) SW_CHECK(change_owners(mount->get(), lowers.front(), owner_inside, wanted));
    last_upper_ = upper;
    return mount;
  }

  // `lower` with its files as `user_namespace` has them, mounted at the new directory `at`; empty: its file system
  // cannot show that.
  static Result<std::string> shown_lower(const std::string& lower, const std::string& at, int user_namespace) {
    SW_TRY(const os::Fd shown, os::clone_mount(AT_FDCWD, lower, Submounts::left_out));
    auto mapped = os::restrict_mount(shown.get(), MOUNT_ATTR_RDONLY, Submounts::left_out, user_namespace);
    if (!mapped && mapped.error().kind == ErrorKind::unavailable) return std::string();
    SW_CHECK(mapped);
    if (::mkdir(at.c_str(), 0700) != 0) return fail_errno(errno, "making a layer");
    SW_CHECK(os::attach_mount(shown.get(), AT_FDCWD, at));
    return at;
  }

  // The same as that map would show. `wanted`: the mount; null: an image.
  Result<void> change_owners(int overlay, const std::string& lower, std::uint32_t owner_inside,
                             const Mount* wanted) const {
    struct stat top{};
    if (::stat(lower.c_str(), &top) != 0) return fail_errno(errno, lower);
    const auto one = [to = identity_.outside(owner_inside)](std::uint32_t from) {
      return [from, to](std::uint32_t id) { return id == from ? to : id; };
    };
    const auto all = [this](std::uint32_t id) { return id < kIdsPerSlot ? identity_.outside(id) : id; };
    auto given = wanted == nullptr ? give_to_owners(overlay, {all, all})
                                   : give_to_owners(overlay, {one(wanted->owner.value_or(0)), one(top.st_gid)});
    if (given) return given;
    return wrap(given.error(), lower + " lies on a file system that cannot show its files as another user's");
  }

  static unsigned read_only_attributes(const Mount& mount) {
    return MOUNT_ATTR_RDONLY | kPlain | (mount.plain_data ? MOUNT_ATTR_NOEXEC : 0U);
  }

  Result<void> prepare_mounts() {
    for (std::size_t i = 0; i < spec_.sandbox.mounts.size(); ++i) {
      const Mount& wanted = spec_.sandbox.mounts[i];
      const int shown_as = namespaces_.mount_owner[i];
      const std::string outside = wanted.outside.string();
      if (wanted.kind == Mount::Kind::read_only && wanted.replaced.empty() && wanted.hidden.empty()) {
        SW_TRY(os::Fd mount, os::clone_mount(AT_FDCWD, outside, Submounts::included));
        const auto done = os::restrict_mount(mount.get(), read_only_attributes(wanted), Submounts::included, shown_as);
        if (done) {
          later_.push_back({std::move(mount), wanted.inside});
          continue;
        }
        struct stat status{};
        const bool by_layer = done.error().kind == ErrorKind::unavailable && ::stat(outside.c_str(), &status) == 0 &&
                              S_ISDIR(status.st_mode);
        if (!by_layer) return wrap(done.error(), outside);
      }
      SW_TRY(os::Fd mount, overlay_of(outside, shown_as, appears(wanted, spec_.sandbox.run_as), &wanted));
      if (wanted.kind == Mount::Kind::read_only) {
        SW_CHECK(os::restrict_mount(mount.get(), read_only_attributes(wanted), Submounts::left_out));
      }
      later_.push_back({std::move(mount), wanted.inside});
      if (wanted.of_source) later_.back().attributes = kPlain | MOUNT_ATTR_NOEXEC;
    }
    SW_TRY(program_, os::clone_mount(AT_FDCWD, host_.self, Submounts::left_out));
    return os::restrict_mount(program_.get(), MOUNT_ATTR_RDONLY | kPlain, Submounts::left_out);
  }

  Result<void> change_root() {
    const char* place = of_host() ? "r" : "v/none";
    SW_CHECK(os::attach_mount(root_.get(), AT_FDCWD, place));
    if (::fchdir(root_.get()) != 0) return fail_errno(errno, "entering the root");
    if (::syscall(SYS_pivot_root, ".", ".") != 0) return fail_errno(errno, "pivot_root");
    // The old root now lies on top of the new one; from here on no path leads to it.
    if (::umount2(".", MNT_DETACH) != 0) return fail_errno(errno, "leaving the host's root");
    if (::chdir("/") != 0) return fail_errno(errno, "entering the root");
    // An image's links may lead through /proc/self/fd from now on: nothing there may be the host's directory.
    keep_open_.clear();
    return {};
  }

  Result<void> fill() {
    if (of_host()) {
      for (const auto& [link, target] : host_.links) {
        if (::symlink(target.c_str(), link.c_str()) != 0) return fail_errno(errno, "linking " + link);
      }
    }
    for (const Prepared& one : system_) SW_CHECK(attach(one));
    SW_CHECK(make_standard_directories(spec_, identity_));
    for (const Prepared& one : prepared_) SW_CHECK(attach(one));
    if (!of_host()) SW_CHECK(write_identity_files_of_image(spec_, identity_));
    SW_CHECK(make_run_directory(identity_));
    SW_CHECK(mount_own("/run/slipway", "0755"));
    SW_CHECK(make_program_place(identity_));
    return os::attach_mount(program_.get(), AT_FDCWD, "/run/slipway/bin/slipway");
  }

  Result<void> attach(const Prepared& one) { return attach_at(one.mount, one.inside); }

  Result<void> attach_at(const os::Fd& mount, const std::string& inside) {
    SW_CHECK(make_mount_point(mount.get(), inside, identity_));
    return os::attach_mount(mount.get(), AT_FDCWD, inside);
  }

  // Before the host's root is left: without root's power the kernel gives a /proc only to who can see a whole one.
  Result<void> prepare_kernel_views() {
    constexpr unsigned kView = kPlain | MOUNT_ATTR_NOEXEC;
    SW_TRY(proc_, os::make_mount("proc", {}, kView));
    if (spec_.sandbox.network == model::Network::host) return {};  // a sysfs shows a network namespace of our own only
    SW_TRY(sys_, os::make_mount("sysfs", {}, kView | MOUNT_ATTR_RDONLY));
    return {};
  }

  Result<void> mount_kernel_views() {
    SW_CHECK(os::attach_mount(proc_.get(), AT_FDCWD, "/proc"));
    if (sys_) SW_CHECK(os::attach_mount(sys_.get(), AT_FDCWD, "/sys"));
    os::MountOptions options = {{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}};
    if (identity_.kind() != Identity::Kind::single) options.emplace_back("gid", std::to_string(identity_.outside(5)));
    SW_TRY(const os::Fd terminals, os::make_mount("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
    SW_CHECK(os::attach_mount(terminals.get(), AT_FDCWD, "/dev/pts"));
    if (spec_.sandbox.nested) return {};  // the kernel lets a nested job mount its own /proc only if ours is whole
    SW_TRY(os::Fd null, os::clone_mount(AT_FDCWD, "/dev/null", Submounts::left_out));
    SW_CHECK(os::restrict_mount(null.get(), MOUNT_ATTR_RDONLY, Submounts::left_out));
    SW_CHECK(mask(host_.masked_files, std::move(null)));
    return mask(host_.masked_directories, std::move(nothing_));
  }

  // Each after the first is a copy of that one: read-only already, and attached, since kernels before 6.15 do not copy
  // what is attached nowhere.
  static Result<void> mask(const std::vector<std::string>& paths, os::Fd with) {
    const std::string* first = nullptr;
    for (const std::string& path : paths) {
      if (::access(path.c_str(), F_OK) != 0) continue;  // no /sys here
      if (first != nullptr) {
        SW_TRY(with, os::clone_mount(AT_FDCWD, *first, Submounts::left_out));
      }
      SW_CHECK(os::attach_mount(with.get(), AT_FDCWD, path));
      if (first == nullptr) first = &path;
    }
    return {};
  }

  Result<void> attach_mounts() {
    for (const Prepared& one : later_) {
      SW_CHECK(attach(one));
      if (one.attributes != 0) SW_CHECK(os::restrict_mount(one.mount.get(), one.attributes, Submounts::left_out));
    }
    for (const BesideMount& one : beside_) SW_CHECK(attach_at(one.mount, one.inside));
    if (!spec_.sandbox.beside) SW_CHECK(mount_own(spec_.sandbox.workspace + "/secrets", "0711"));
    return make_workspace_directories(spec_, identity_);
  }

  // /tmp, /var/tmp, the home and the workspace stay writable: each becomes a mount of its own first.
  Result<void> make_root_read_only() {
    for (const std::string& path :
         {std::string("/tmp"), std::string("/var/tmp"), std::string("/home/runner"), spec_.sandbox.workspace}) {
      SW_TRY(const os::Fd mount, os::clone_mount(AT_FDCWD, path, Submounts::included));
      SW_CHECK(os::attach_mount(mount.get(), AT_FDCWD, path));
    }
    for (const Prepared& one : system_) {
      SW_CHECK(os::restrict_mount(one.mount.get(), MOUNT_ATTR_RDONLY, Submounts::left_out));
    }
    return os::restrict_mount(root_.get(), MOUNT_ATTR_RDONLY, Submounts::left_out);
  }

  const SetupSpec& spec_;
  const HostLayout& host_;
  const Identity& identity_;
  const RootNamespaces& namespaces_;
  int layers_ = 0, lowers_ = 0;
  std::string last_upper_;
  std::vector<os::Fd> keep_open_;
  os::Fd root_, program_, nothing_, proc_, sys_;
  std::vector<Prepared> system_;    // the host's directories
  std::vector<Prepared> prepared_;  // /dev, /run
  std::vector<Prepared> later_;     // the spec's mounts
  std::vector<BesideMount> beside_;
};

}  // namespace

Result<os::Fd> enter_new_root(const SetupSpec& spec, const HostLayout& host, const Identity& identity,
                              const RootNamespaces& namespaces) {
  RootBuilder builder(spec, host, identity, namespaces);
  SW_CHECK(builder.build());
  return builder.source();
}

}  // namespace slipway::sandbox::native
