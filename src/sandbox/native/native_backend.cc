#include "sandbox/native/native_backend.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include "base/paths.h"
#include "base/scope_exit.h"
#include "os/files.h"
#include "os/wait.h"
#include "sandbox/native/identity.h"
#include "sandbox/native/pasta.h"
#include "sandbox/native/setup_spec.h"
#include "sandbox/rootfs/skopeo.h"
#include "sandbox/spec_check.h"
#include "wire/sandbox_json.h"

namespace slipway::sandbox::native {

namespace {

constexpr auto kCleanUpWithin = std::chrono::seconds(10);
constexpr std::uint64_t kLeastDisk = 1U << 20U;

std::uint64_t machine_memory() {
  struct sysinfo info{};
  ::sysinfo(&info);
  return static_cast<std::uint64_t>(info.totalram) * info.mem_unit;
}

// Since Linux 6.3. Trying it would take a user namespace.
bool tmpfs_has_idmaps() {
  struct utsname name{};
  int major = 0, minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 6 || (major == 6 && minor >= 3);
}

// Whoever names slipway's own directories, or what they lie in, would get what all runs left there as their own files.
Result<void> check_apart(const std::string& image, const NativeOptions& options) {
  std::error_code unreadable;
  const std::filesystem::path root = std::filesystem::canonical(image, unreadable);
  if (unreadable) return fail(ErrorKind::invalid, "its directory: " + unreadable.message());
  for (const std::filesystem::path& directory : {options.state_dir, options.runtime_dir}) {
    const std::filesystem::path own = std::filesystem::canonical(directory, unreadable);
    if (unreadable) return fail(ErrorKind::unavailable, directory.string() + ": " + unreadable.message());
    const bool inside = lies_below(root.native(), own.native());
    if (!inside && !lies_below(own.native(), root.native())) continue;
    return fail(ErrorKind::denied, std::string(inside ? "it lies in " : "it holds ") + directory.string() +
                                       ", where slipway keeps its own files: name a directory apart from it");
  }
  return {};
}

// Of its container: all that it started ends with it.
bool is_first_process() { return ::getpid() == 1; }
constexpr const char* kNoAdoption =
    "no sandbox outlives slipway here: it is the first process of its container, which ends with it";

bool is_directory_image(const std::string& image) { return image.starts_with('/'); }

Result<void> check_image_directory(const std::string& image, const NativeOptions& options) {
  struct stat status{};
  if (::stat(image.c_str(), &status) != 0) return fail_errno(errno, "its directory");  // callers name the image
  if (!S_ISDIR(status.st_mode)) return fail(ErrorKind::invalid, "it is a file, and no directory");
  if (std::filesystem::path(image).lexically_normal() == "/") {
    return fail(ErrorKind::denied, "image `/` would show all of this machine: `host` shows what a job may see");
  }
  return check_apart(image, options);
}

Result<void> check_shares(const SandboxSpec& spec) {
  if (spec.beside->shares.size() > wire::kMaxShares) {
    return fail(ErrorKind::invalid, "at most " + std::to_string(wire::kMaxShares) + " directories can be shared");
  }
  for (const std::string& share : spec.beside->shares) {
    if (!is_clean_absolute(share) || !share.starts_with(spec.workspace + "/")) {
      return fail(ErrorKind::invalid, "`" + share + "` is not a directory below " + spec.workspace);
    }
  }
  return {};
}

Result<void> check(const SandboxSpec& spec, const NativeOptions& options) {
  SW_CHECK(check_spec(spec));
  if (is_directory_image(spec.image)) SW_CHECK(check_image_directory(spec.image, options));
  if (spec.limits.disk_bytes && *spec.limits.disk_bytes < kLeastDisk) {
    return fail(ErrorKind::invalid, "a disk of less than 1 MiB holds no sandbox");
  }
  for (const std::string& device : spec.devices) {
    if (!is_clean_absolute("/dev/" + device) || device.starts_with("..")) {
      return fail(ErrorKind::invalid, "device `" + device + "` is not a name below /dev");
    }
  }
  if (spec.beside) SW_CHECK(check_shares(spec));
  if (spec.orphan_grace > Duration(0)) {
    if (spec.beside) return fail(ErrorKind::invalid, "a sibling ends with its owner");
    if (is_first_process()) return fail(ErrorKind::denied, kNoAdoption);
  }
  return {};
}

}  // namespace

NativeBackend::NativeBackend(NativeOptions options, Log& log)
    : options_(std::move(options)),
      log_(log),
      groups_(os::CgroupRoot::open()),
      machine_memory_bytes_(machine_memory()),
      kind_(::geteuid() == 0 ? Identity::Kind::root : Identity::Kind::range),
      slots_(options_.runtime_dir / "slots"),
      nat_(options_.runtime_dir),
      launcher_(options_.init_program, options_.runtime_dir / "stage", options_.host_paths),
      pool_(options_.state_dir / "pool", options_.runtime_dir / "pool", options_.pool_bytes, launcher_),
      has_pool_(Pool::is_possible()),
      sandboxes_(options_.state_dir / "sandboxes") {}

NativeBackend::~NativeBackend() {
  // The records close their pidfds; whoever holds a leash still decides when its sandbox ends.
}

Result<std::unique_ptr<NativeBackend>> NativeBackend::open(NativeOptions options, Log& log) {
  // The launcher runs in another directory.
  for (std::filesystem::path* path : {&options.state_dir, &options.runtime_dir, &options.init_program}) {
    std::error_code unreadable;
    *path = std::filesystem::absolute(*path, unreadable);
    if (unreadable) return fail(ErrorKind::unavailable, "the working directory is gone");
  }
  for (const std::string& path : options.host_paths) {
    // These are mounts that each sandbox has of its own, or, `/`, all that the allow-list is to keep out.
    for (const std::string_view own : {"/", "/dev", "/proc", "/sys", "/run", "/tmp", "/job"}) {
      const bool below = own != "/" && path.starts_with(std::string(own) + "/");
      if (path == own || below) return fail(ErrorKind::invalid, "sandbox.host_paths: `" + path + "` cannot be shown");
    }
    if (!is_clean_absolute(path)) {
      return fail(ErrorKind::invalid, "sandbox.host_paths: `" + path + "` is not an absolute path");
    }
  }
  SW_CHECK(os::make_directories(options.state_dir / "sandboxes", 0700));
  for (const char* name : {"slots", "stage", "pool"}) SW_CHECK(os::make_directories(options.runtime_dir / name, 0700));
  if (::access(options.init_program.c_str(), X_OK) != 0) {
    return fail_errno(errno, "the sandbox's program " + options.init_program.string());
  }
  return std::unique_ptr<NativeBackend>(new NativeBackend(std::move(options), log));
}

Capabilities NativeBackend::capabilities() {
  const os::CgroupSupport& support = groups_.support();
  Capabilities result;
  result.name = "native";
  result.limits = {.memory = support.memory,
                   .cpus = support.cpus,
                   .pids = support.pids,
                   .disk = has_pool_,
                   .step_figures = support.step_figures,
                   .io_figures = support.io_figures,
                   .disk_how = has_pool_ ? "in memory (tmpfs); above half of the memory limit a btrfs quota"
                                         : "in memory (tmpfs); above half of the memory limit none"};
  const bool is_root = kind_ == Identity::Kind::root;
  result.network_nat = is_root ? Nat::is_possible() : has_pasta();
  result.network_nat_by = is_root ? "nftables" : "pasta";
  result.groups = support.place;
  result.many_user_ids = is_root || os::may_map_a_range();
  result.user_ids = is_root                ? "65,536 of the machine's for each sandbox"
                    : result.many_user_ids ? "your own and 65,534 of /etc/subuid, by newuidmap"
                                           : "your own only";
  result.image_directory = true;
  result.named_images = rootfs::has_skopeo();
  result.nested = true;
  result.siblings = kind_ == Identity::Kind::root;
  if (is_first_process()) result.no_adoption = kNoAdoption;
  if (!result.siblings) {
    result.notes.emplace_back("no sandbox beside a job's for untrusted source (`run_as: source`): it needs root");
  }
  result.notes.insert(result.notes.end(), support.notes.begin(), support.notes.end());
  if (!support.pids) {
    result.notes.emplace_back(
        "processes are counted by rlimit instead: for each user of a sandbox, not for the whole of it");
  }
  if (!result.many_user_ids) {
    result.notes.emplace_back(
        "one user id for everything in a sandbox: `run_as: root` is not possible and steps may change limits of "
        "slipway-init (install the package `uidmap` and give your user 65,536 ids in /etc/subuid and /etc/subgid)");
  }
  return result;
}

Result<rootfs::ImageStore> open_images(const NativeOptions& options) {
  const char* owners = ::geteuid() == 0 ? "root" : os::may_map_a_range() ? "range" : "single";
  return rootfs::ImageStore::open({.directory = options.state_dir / "images",
                                   .unpack_program = options.unpack_program,
                                   .owners = owners,
                                   .pull = options.pull,
                                   .most_bytes = options.image_bytes});
}

Result<ImageFacts> NativeBackend::prepare_image(const std::string& image, const ImageProgress& progress,
                                                const os::CallLimit& limit) {
  ImageFacts facts;
  facts.image = image;
  if (image == "host") return facts;
  if (is_directory_image(image)) {
    SW_CHECK(check_image_directory(image, options_));
    return facts;
  }
  SW_TRY(const rootfs::ImageReference reference, rootfs::parse_reference(image));
  const auto ready_already = images_.with([&](Images& images) {
    const auto found = images.find(reference.text());
    return found == images.end() ? nullptr : found->second;
  });
  if (ready_already) return ready_already->facts;
  SW_TRY(const rootfs::ImageStore store, open_images(options_));
  SW_TRY(rootfs::ReadyImage ready, store.prepare(reference, progress, limit));
  auto kept = std::make_shared<const rootfs::ReadyImage>(std::move(ready));
  facts = kept->facts;
  images_.with([&](Images& images) { images.emplace(facts.image, std::move(kept)); });
  return facts;
}

Result<std::vector<std::string>> NativeBackend::layers_of(const SandboxSpec& spec) {
  if (spec.image == "host" || is_directory_image(spec.image)) return std::vector<std::string>{};
  const auto ready = images_.with([&](Images& images) {
    const auto found = images.find(spec.image);
    return found == images.end() ? nullptr : found->second;
  });
  if (!ready) return fail(ErrorKind::invalid, "image `" + spec.image + "` was not prepared");
  return ready->layers;
}

Result<Started> NativeBackend::start(const SandboxSpec& spec, const os::CallLimit& limit) {
  SW_CHECK(check(spec, options_));
  if (kind_ != Identity::Kind::root && job_id(spec.run_as) == 0 && !os::may_map_a_range()) {
    return fail(ErrorKind::denied,
                "`run_as: root` needs a range of user ids: install `uidmap` and add your user to "
                "/etc/subuid and /etc/subgid, or run slipway as root");
  }
  const bool of_source = std::ranges::any_of(spec.mounts, &Mount::of_source);
  if (kind_ != Identity::Kind::root && (of_source || spec.beside)) {
    return fail(ErrorKind::denied,
                "`run_as: source`, `slipway sandbox` and separate job code need a user id of their own for the source, "
                "which slipway can give only when it runs as root");
  }
  auto record = std::make_shared<Record>();
  record->id = spec.id;
  record->has_source = of_source;
  const auto starting = [&](Error error) { return wrap(std::move(error), "starting sandbox " + spec.id.value); };
  auto directory = SandboxDirectory::create(sandboxes_.parent(), spec.id, groups_.paths_for(spec.id.value));
  if (!directory) return starting(directory.error());
  record->directory = std::move(*directory);
  // From here on there is something to undo. The caller's limit may be spent by then: undoing has its own.
  ScopeExit undo([&] {
    if (auto undone = tear_down(*record, os::within(kCleanUpWithin)); !undone) {
      sandboxes_.add(record);  // its slot stays taken; `destroy` tries again
      log_.write(LogLevel::warn, "sandbox_left_behind", {{"sandbox", spec.id.value}, {"error", undone.error().what}});
    }
  });
  auto slot = slots_.take();
  if (!slot) return starting(slot.error());
  record->slot = std::move(*slot);
  const Identity identity(kind_, record->slot.number);
  record->source_id = identity.outside(kSourceId);
  record->job_id = identity.outside(job_id(spec.run_as));
  auto leash = os::make_socket_pair();
  if (!leash) return starting(leash.error());
  if (auto launched = launch(spec, *record, leash->second.get(), limit); !launched) return starting(launched.error());
  if (spec.orphan_grace > Duration(0)) {
    if (auto left = leave_estate(spec, *record, leash->first, limit); !left) return starting(left.error());
  }
  sandboxes_.add(record);
  undo.release();
  return Started{spec.id, std::move(leash->first)};
}

// What fits lies in memory, where it is fast and has its limit; a larger disk in the pool, or, where there is none,
// in a directory of the host's without a limit (`capabilities` says so).
Result<void> NativeBackend::place_disk(const SandboxSpec& spec, Record& record, SetupSpec& setup,
                                       const os::CallLimit& limit) {
  const std::uint64_t memory =
      std::min(spec.limits.memory_bytes.value_or(machine_memory_bytes_), machine_memory_bytes_);
  setup.disk_bytes = spec.limits.disk_bytes.value_or(memory / 2);
  // Directories that a sibling may share are shown to it as its own user's.
  const bool in_pool = has_pool_ && !tmpfs_has_idmaps() && std::ranges::any_of(spec.mounts, &Mount::of_source);
  if (setup.disk_bytes <= memory / 2 && !in_pool) return {};
  setup.disk = SetupSpec::Disk::directory;
  if (in_pool || (has_pool_ && spec.limits.disk_bytes)) {
    SW_TRY(setup.disk_path, pool_.create(spec.id.value, setup.disk_bytes, limit));
    record.in_pool = true;
    return {};
  }
  const std::filesystem::path path = record.directory.path() / "disk";
  if (::mkdir(path.c_str(), 0755) != 0) return fail_errno(errno, "making " + path.string());
  setup.disk_path = path;
  return {};
}

Result<void> NativeBackend::place_network(const Slot& slot, SetupSpec& setup, const os::CallLimit& limit) {
  if (kind_ == Identity::Kind::root) {
    SW_CHECK(nat_.prepare(limit));
    setup.nat = nat_address(slot.number, next_turn(slot));
    setup.nameservers = nat_.nameservers();
    return {};
  }
  if (!has_pasta()) {
    return fail(ErrorKind::denied,
                "`network: nat` without root needs pasta: install the package `passt`, or say `network: none`");
  }
  HostNetwork host = read_host_network();
  setup.by_pasta = true;
  setup.closed = std::move(host.closed);
  setup.nameservers = std::move(host.nameservers);
  return {};
}

Result<void> NativeBackend::make_groups(const SandboxSpec& spec, Record& record) {
  const Identity identity(kind_, record.slot.number);
  auto group = groups_.create(spec.id.value, {spec.limits.memory_bytes, spec.limits.pids, spec.limits.cpus},
                              identity.outside(identity.init_id()));
  if (!group) return wrap(group.error(), "control group");
  record.group = std::move(*group);
  return {};
}

Result<void> NativeBackend::launch(const SandboxSpec& spec, Record& record, int leash, const os::CallLimit& limit) {
  SetupSpec setup;
  setup.sandbox = spec;
  setup.slot = record.slot.number;
  SW_TRY(setup.layers, layers_of(spec));
  if (!groups_.support().pids) setup.process_limit = spec.limits.pids.value_or(0);
  SW_CHECK(place_disk(spec, record, setup, limit));
  if (spec.network == model::Network::nat) SW_CHECK(place_network(record.slot, setup, limit));
  std::shared_ptr<Record> job;
  if (spec.beside) {
    SW_TRY(job, find_job(*spec.beside));
    setup.runner_outside = job->source_id;
    setup.shared_owner = job->job_id;
  } else if (needs_job(spec)) {
    job = sandboxes_.find(spec.private_network->job);
    if (!job || !job->network) return fail(ErrorKind::unavailable, "the job of this service has ended");
  }
  SW_TRY(os::SocketPair status, os::make_socket_pair());
  std::vector<int> fds = {leash, status.second.get()};
  setup.has_init_leaf = groups_.starts_in_leaf();
  if (setup.has_init_leaf) {
    SW_CHECK(make_groups(spec, record));
    fds.push_back(record.group.init_leaf());
  }
  if (job) fds.push_back((spec.beside ? job->process : job->network).get());
  os::MessageSocket& answers = record.status.emplace(std::move(status.first));
  const auto asked = launcher_.send(encode(setup), fds, limit);
  status.second.reset();
  if (!asked) return asked;
  // Otherwise while the sandbox makes its mounts. When this fails, it finds the status socket closed, and ends.
  if (!setup.has_init_leaf) SW_CHECK(make_groups(spec, record));
  std::vector<GroupShape> shapes;
  fds.clear();
  for (const os::CgroupDirectory& one : record.group.directories()) {
    shapes.push_back({one.version, one.controllers});
    fds.push_back(one.fd.get());
  }
  // `unavailable`: it has failed before it came to this. Its answer says why.
  if (auto sent = answers.send(encode_groups(shapes), fds, limit); !sent && sent.error().kind != ErrorKind::unavailable)
    return sent;
  SW_CHECK(learn_process(record, limit));
  auto answer = answers.receive(limit);
  if (!answer && answer.error().kind == ErrorKind::unavailable) {
    return fail(ErrorKind::internal, "the sandbox's first process ended during set-up");
  }
  if (!answer) return std::unexpected(answer.error());
  if (const auto done = decode_answer(answer->text); !done) return std::unexpected(fault_of_set_up(done.error()));
  if (spec.private_network && !spec.private_network->self && !answer->fds.empty()) {
    record.network = std::move(answer->fds.back());
    answer->fds.pop_back();
  }
  // A sibling's source (root's only), or what keeps a user's network: one sandbox has no need of both.
  if (!answer->fds.empty()) (setup.by_pasta ? record.guard : record.source) = std::move(answer->fds.front());
  record.status.reset();
  return {};
}

// The first thing that is said on the status socket. No process and no error: there is none, and will be none.
Result<void> NativeBackend::learn_process(Record& record, const os::CallLimit& limit) {
  auto said = record.status->receive(limit);
  if (!said && said.error().kind == ErrorKind::unavailable) return {};
  if (!said) return std::unexpected(said.error());
  // A launcher that cannot start it says so here.
  if (const auto done = decode_answer(said->text); !done) return std::unexpected(fault_of_set_up(done.error()));
  if (said->fds.empty()) return fail(ErrorKind::internal, "the launcher's answer lacks the process");
  record.process = std::move(said->fds.front());
  return {};
}

Result<std::shared_ptr<NativeBackend::Record>> NativeBackend::find_job(const Beside& beside) {
  auto job = sandboxes_.find(beside.job);
  if (!job || !job->process) return fail(ErrorKind::unavailable, "the job beside which it is to run has ended");
  if (beside.source && !job->has_source) return fail(ErrorKind::invalid, "the job shares no source");
  return job;
}

Result<void> NativeBackend::wait(const SandboxId& id, const os::CallLimit& limit) {
  const auto record = sandboxes_.find(id);
  if (!record) return {};  // destroyed: it has ended
  return os::wait_readable(record->process.get(), limit);
}

Result<Usage> NativeBackend::usage(const SandboxId& id) {
  const auto record = sandboxes_.find(id);
  if (!record) return fail(ErrorKind::not_found, "no sandbox " + id.value);
  const os::CgroupFigures figures = record->group.figures();
  return Usage{figures.cpu_micros, figures.memory_peak_bytes, figures.out_of_memory_kills};
}

Result<os::Fd> NativeBackend::open_source_file(const SandboxId& id, const std::string& path) {
  const auto record = sandboxes_.find(id);
  if (!record || !record->source) return fail(ErrorKind::not_found, "no sibling sandbox " + id.value);
  return os::open_untrusted(record->source.get(), path);
}

Result<void> NativeBackend::tear_down(Record& record, const os::CallLimit& limit) {
  if (record.status && !record.process) {
    // It was given up during set-up. Its slot is nobody else's before its process is known to be gone.
    const auto known = learn_process(record, limit);
    const bool too_early = !known && (known.error().kind == ErrorKind::timeout ||  //
                                      known.error().kind == ErrorKind::cancelled);
    if (too_early) return wrap(known.error(), "waiting for its first process");
  }
  if (record.process) {
    // ESRCH: it has ended by itself. When process 1 is gone, the kernel has ended all others of its namespace.
    ::syscall(SYS_pidfd_send_signal, record.process.get(), SIGKILL, nullptr, 0);
    SW_CHECK(os::wait_readable(record.process.get(), limit));
  }
  if (record.guard) SW_CHECK(os::wait_readable(record.guard.get(), limit));
  record.source.reset();   // it holds the disk
  record.network.reset();  // and this a network
  if (record.in_pool) SW_CHECK(pool_.destroy(record.id.value));
  SW_CHECK(record.directory.destroy());
  slots_.give_back(std::exchange(record.slot, {}));
  return {};
}

Result<void> NativeBackend::destroy(const SandboxId& id, const os::CallLimit& limit) {
  return sandboxes_.destroy(
      id, [&](Record& record) { return tear_down(record, limit); },
      [](SandboxDirectory& directory) { return directory.destroy(); });
}

Result<std::vector<SandboxId>> NativeBackend::list_abandoned() { return abandoned_in(sandboxes_.parent()); }

Result<void> NativeBackend::sweep(const os::CallLimit& limit) {
  pool_.sweep();
  return sweep_directories(sandboxes_.parent(), log_, limit);
}

}  // namespace slipway::sandbox::native
