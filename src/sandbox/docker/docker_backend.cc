#include "sandbox/docker/docker_backend.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include <boost/json.hpp>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "net/unix_socket.h"
#include "os/bundle.h"
#include "os/files.h"
#include "os/message_socket.h"
#include "os/wait.h"
#include "sandbox/docker/image_files.h"
#include "sandbox/docker/images.h"
#include "sandbox/ids.h"
#include "sandbox/rootfs/user.h"
#include "sandbox/spec_check.h"

namespace slipway::sandbox::docker {

namespace json = boost::json;

namespace {

constexpr auto kAskWithin = std::chrono::seconds(10);
constexpr auto kCleanUpWithin = std::chrono::seconds(10);
constexpr auto kRemovalWithin = std::chrono::seconds(5);  // by the daemon itself, once the last process is gone
constexpr const char* kLeashName = "leash";
// In a sandbox's directory: the daemon was asked for its container and has not answered. One may come yet, also after
// the end of who asked, but not later than this.
constexpr const char* kAskedName = "asked";
constexpr auto kMayComeWithin = std::chrono::seconds(3);
constexpr auto kLookEvery = std::chrono::milliseconds(50);

std::string container_name(const SandboxId& id) { return "slipway-" + id.value; }

std::string id_in(const std::string& text) {
  boost::system::error_code bad;
  const json::value document = json::parse(text, bad);
  if (bad || !document.is_object()) return {};
  const json::value* id = document.get_object().if_contains("Id");
  return id != nullptr && id->is_string() ? std::string(id->get_string()) : std::string();
}

bool keeps_source_apart(const SandboxSpec& spec) { return std::ranges::any_of(spec.mounts, &Mount::of_source); }

// A tree as it is, in a file without a name.
Result<os::Fd> bundle_of(const Mount& mount, const std::filesystem::path& directory) {
  SW_TRY(const os::Fd tree, os::open_file(mount.outside, O_RDONLY | O_DIRECTORY));
  SW_TRY(os::Fd file, os::open_file(directory, O_TMPFILE | O_RDWR, 0600));
  std::vector<std::string> globs = {"**"};
  for (const auto& [name, text] : mount.replaced) globs.push_back("!" + name);
  for (const std::string& name : mount.hidden) globs.push_back("!" + name);
  auto packed = os::pack(tree.get(), globs, file.get(), os::Links::kept, {});
  if (!packed && packed.error().kind != ErrorKind::not_found) return wrap(packed.error(), mount.outside.string());
  if (!packed) return os::Fd();  // an empty tree
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "lseek");
  return file;
}

}  // namespace

DockerBackend::DockerBackend(DockerOptions options, std::filesystem::path socket, Log& log)
    : options_(std::move(options)),
      log_(log),
      engine_(std::move(socket)),
      nat_(engine_, log),
      can_attach_(::geteuid() == 0),
      sandboxes_(options_.state_dir / "sandboxes") {}

DockerBackend::~DockerBackend() = default;

Result<std::unique_ptr<DockerBackend>> DockerBackend::open(DockerOptions options, Log& log) {
  SW_TRY(std::filesystem::path socket, daemon_socket(options.docker_host));
  SW_CHECK(os::make_directories(options.state_dir / "sandboxes", 0700));
  std::error_code unreadable;
  for (std::filesystem::path* path : {&options.state_dir, &options.init_program}) {
    *path = std::filesystem::canonical(*path, unreadable);  // the daemon stands elsewhere, and labels are compared
    if (unreadable) return fail(ErrorKind::not_found, path->string() + ": " + unreadable.message());
  }
  std::unique_ptr<DockerBackend> backend(new DockerBackend(std::move(options), std::move(socket), log));
  // At once: it takes the daemon a while, and is the same in every version.
  const auto ask = [&]() -> Result<DaemonFacts> {
    SW_TRY(net::HttpConnection asked, backend->engine_.begin("GET", "/info", os::within(kAskWithin)));
    SW_CHECK(backend->engine_.negotiate(os::within(kAskWithin)));
    SW_TRY(const std::string info, backend->engine_.receive(std::move(asked), os::within(kAskWithin)));
    return read_facts(info);
  };
  auto facts = ask();
  if (!facts) return wrap(facts.error(), "Docker");
  backend->facts_ = std::move(*facts);
  return backend;
}

Capabilities DockerBackend::capabilities() {
  Capabilities can;
  can.name = "docker";
  can.limits = {.memory = facts_.memory_limit, .cpus = facts_.cpu_quota, .pids = facts_.pids_limit, .disk_how = "none"};
  can.network_nat = true;
  can.network_nat_by = "Docker's network `slipway`";
  can.groups = fmt::format("v{}, by Docker", facts_.cgroup_version);
  can.user_ids = facts_.remaps_users || facts_.rootless ? "those that Docker maps" : "of user namespaces in containers";
  can.named_images = true;
  // First what it is; then what is missing.
  can.notes.push_back(fmt::format("Docker {} at {}, storage driver {} on {}, control groups v{}", facts_.version,
                                  engine_.socket().string(), facts_.storage_driver,
                                  facts_.backing_file_system.empty() ? "?" : facts_.backing_file_system,
                                  facts_.cgroup_version));
  if (!NatNetwork::has_walls()) {
    can.notes.emplace_back(
        "`network: nat`: jobs reach services of this host by its bridge's address (only root with nftables can close "
        "that)");
  }
  if (facts_.remaps_users) can.notes.emplace_back("no `services`: this daemon remaps users");
  if (!attaches_mounts()) {
    can.notes.push_back(
        fmt::format("the source is copied into each container, and cannot be kept apart from job code: {}",
                    can_attach_ ? "this daemon maps users" : "without root it cannot be mounted"));
  }
  return can;
}

Result<ImageFacts> DockerBackend::prepare_image(const std::string& image, const ImageProgress& progress,
                                                const os::CallLimit& limit) {
  SW_TRY(ImageFacts facts, docker::prepare_image(engine_, image, options_.pull, progress, limit));
  auto user = user_of(facts, limit);
  if (!user) return std::unexpected(user.error());
  facts.user = std::move(*user);
  return facts;
}

// The daemon gives an image's files out through a container only.
Result<std::string> DockerBackend::user_of(const ImageFacts& image, const os::CallLimit& limit) {
  auto known = users_.with([&](const auto& users) {
    const auto found = users.find(image.image);
    return found == users.end() ? std::optional<std::string>() : std::optional(found->second);
  });
  if (known) return *std::move(known);
  const SandboxId id("image-" + new_id());
  std::optional<SandboxDirectory> directory;  // for a sweep, as every container's
  const ScopeExit remove([&] {
    if (!directory) return;
    auto removed = remove_unanswered(directory->path(), id, os::within(kCleanUpWithin));
    if (removed) removed = directory->destroy();
    if (!removed) log_.write(LogLevel::warn, "sandbox_left_behind", {{"sandbox", id.value}});
  });
  SW_TRY(std::string user, rootfs::numeric_user(image.user, [&](const std::string& name) -> Result<std::string> {
           if (!directory) {
             SW_TRY(directory, SandboxDirectory::create(sandboxes_.parent(), id, {}));
             SW_CHECK(create_container(directory->path(), id, body_to_look_into(image.image, id, options_.state_dir),
                                       limit));
           }
           return read_file_of(engine_, container_name(id), "/" + name, limit);
         }));
  users_.with([&](auto& users) { users.emplace(image.image, user); });
  return user;
}

bool DockerBackend::attaches_mounts() const { return can_attach_ && !facts_.remaps_users && !facts_.rootless; }

Result<void> DockerBackend::check(const SandboxSpec& spec) const {
  SW_CHECK(check_spec(spec));
  if (spec.nested) {
    return fail(ErrorKind::denied,
                "`nested: true` needs `--backend native`: Docker gives no container mounts of its own");
  }
  if (spec.beside) return fail(ErrorKind::denied, "`run_as: source` and `slipway sandbox` need `--backend native`");
  if (spec.private_network && facts_.remaps_users) {
    return fail(ErrorKind::denied,
                "`services` need `--backend native`: this Docker daemon remaps users, each container's for itself, and "
                "none may link itself with another's network");
  }
  // A copy would be the job's own, to write and to execute.
  if (keeps_source_apart(spec) && !attaches_mounts()) {
    return fail(ErrorKind::denied,
                fmt::format("the source cannot be kept apart from job code here: {}. Use `--backend native` as root",
                            can_attach_ ? "this Docker daemon maps users, so it can only be copied into the container"
                                        : "only root can mount it into a container"));
  }
  for (const std::string& name : spec.devices) {
    if (!is_plain_name(name)) return fail(ErrorKind::invalid, "the device `" + name + "` is not a name in /dev");
  }
  return {};
}

Result<std::string> DockerBackend::network_of(const SandboxSpec& spec, const os::CallLimit& limit) {
  switch (spec.network) {
    case model::Network::none: return std::string("none");
    case model::Network::host: return std::string("host");
    case model::Network::nat: return nat_.prepare(limit);
  }
  return std::string("none");
}

Result<Started> DockerBackend::start(const SandboxSpec& spec, const os::CallLimit& limit) {
  SW_CHECK(check(spec));
  auto record = std::make_shared<Record>();
  record->id = spec.id;
  const auto starting = [&](Error error) { return wrap(std::move(error), "starting sandbox " + spec.id.value); };
  auto directory = SandboxDirectory::create(sandboxes_.parent(), spec.id, {});
  if (!directory) return starting(directory.error());
  record->directory = std::move(*directory);
  // From here on there is something to undo. The caller's limit may be spent by then: undoing has its own.
  ScopeExit undo([&] {
    if (auto undone = tear_down(*record, os::within(kCleanUpWithin)); !undone) {
      log_.write(LogLevel::warn, "sandbox_left_behind", {{"sandbox", spec.id.value}, {"error", undone.error().what}});
    }
  });
  if (auto created = create(spec, *record, limit); !created) return starting(created.error());
  auto leash = launch(spec, *record, limit);
  if (!leash) return starting(fault_of_set_up(leash.error()));
  const auto ready = fill(spec, *record, *leash, limit);
  if (!ready) return starting(fault_of_set_up(ready.error()));
  if (!ready->no_root_steps.empty() && job_id(spec.run_as) == 0) {
    return starting({ErrorKind::denied,
                     "`run_as: root` is not possible with this Docker daemon: it would be root of the container "
                     "without a wall (no user namespace can be made in it: " +
                         ready->no_root_steps + ")"});
  }
  if (spec.orphan_grace > Duration(0)) {
    if (auto left = leave_estate(spec, *record, *leash); !left) return starting(left.error());
  }
  sandboxes_.add(record);
  undo.release();
  return Started{spec.id, std::move(*leash), record->container->lost()};
}

Result<void> DockerBackend::create(const SandboxSpec& spec, Record& record, const os::CallLimit& limit) {
  const std::filesystem::path place = record.directory.path();
  SW_TRY(record.listener, net::listen_unix(place, kLeashName));
  ContainerPlan plan{place / kLeashName, options_.init_program, options_.state_dir, {}};
  SW_TRY(plan.network, network_of(spec, limit));
  record.began = ::time(nullptr);
  SW_TRY(const std::string container, create_container(place, spec.id, container_body(spec, plan, facts_), limit));
  record.container = std::make_unique<LiveContainer>(engine_, container, std::move(record.directory));
  return record.container->watch(limit);
}

// Its id. The name is known before, and that the daemon was asked.
Result<std::string> DockerBackend::create_container(const std::filesystem::path& directory, const SandboxId& id,
                                                    const std::string& body, const os::CallLimit& limit) {
  const std::filesystem::path asked = directory / kAskedName;
  SW_CHECK(os::open_file(asked, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600));
  const auto made = engine_.post("/containers/create?name=" + container_name(id), body, limit);
  const bool is_answered =
      made || (made.error().kind != ErrorKind::unavailable && made.error().kind != ErrorKind::timeout &&
               made.error().kind != ErrorKind::cancelled);
  if (is_answered) ::unlink(asked.c_str());
  if (!made) return made;
  std::string container = id_in(*made);
  if (container.empty()) return fail(ErrorKind::invalid, "Docker's answer lacks the container's id");
  return container;
}

// The container connects before the daemon has said that it is started.
Result<os::Fd> DockerBackend::launch(const SandboxSpec& spec, Record& record, const os::CallLimit& limit) {
  LiveContainer& container = *record.container;
  SW_TRY(net::HttpConnection starting, engine_.begin("POST", "/containers/" + container.container() + "/start", limit));
  if (attaches_mounts()) {
    auto made = mounts_.make(spec.mounts, job_id(spec.run_as), container.directory().path() / "layers");
    if (made) {
      record.mounts = std::move(*made);
    } else if (keeps_source_apart(spec)) {
      return wrap(made.error(), "keeping the source apart from job code");
    } else {  // a file system that overlays cannot write to, an old kernel: it travels instead
      log_.write(LogLevel::debug, "source_is_copied", {{"sandbox", spec.id.value}, {"error", made.error().what}});
    }
  }
  const std::vector<int> fds = {record.listener.get(), starting.fd(), container.ended()};
  SW_TRY(std::vector<std::size_t> readable, os::wait_any_readable(fds, limit));
  if (readable.front() != 0) {
    if (readable.front() == 1) {
      SW_CHECK(engine_.receive(std::move(starting), limit));
      SW_TRY(readable, os::wait_any_readable(std::vector<int>{record.listener.get(), container.ended()}, limit));
    }
    if (readable.front() != 0)
      return fail(ErrorKind::internal, "the container ended before its slipway-init said a word");
  } else {
    container.leave_start(std::move(starting));
  }
  SW_TRY(net::Peer peer, net::accept_unix(record.listener.get(), limit));
  // Nobody else may connect: what is mounted in the container leads to a closed socket from now on.
  record.listener.reset();
  ::unlink((container.directory().path() / kLeashName).c_str());
  container.follow(peer.pid);
  return std::move(peer.socket);
}

// A service's way to the network of its job.
Result<os::Fd> DockerBackend::place_network(const SandboxSpec& spec, Setup& setup) {
  if (!spec.private_network) return os::Fd();
  const PrivateNetwork& network = *spec.private_network;
  setup.service = network.self;
  if (!network.self) {
    setup.services = network.services.size();
    return os::Fd();
  }
  const auto job = sandboxes_.find(network.job);
  if (!job) return fail(ErrorKind::unavailable, "the job of this service has ended");
  if (*network.self >= job->links.size()) return fail(ErrorKind::invalid, "its job has no such service");
  return os::Fd(::fcntl(job->links[*network.self].get(), F_DUPFD_CLOEXEC, 3));
}

Result<Ready> DockerBackend::fill(const SandboxSpec& spec, Record& record, const os::Fd& leash,
                                  const os::CallLimit& limit) {
  os::MessageSocket guest(os::Fd(::fcntl(leash.get(), F_DUPFD_CLOEXEC, 3)));
  Setup setup{spec.workspace, job_id(spec.run_as), spec.read_only_root, {}, 0};
  for (const Mount& mount : spec.mounts) setup.mount_points.push_back(mount.inside);
  const auto memory = record.container->memory_group();
  if (memory) setup.memory_group_version = memory->version;
  SW_TRY(const os::Fd link, place_network(spec, setup));
  SW_CHECK(guest.send(encode(setup), link ? std::vector<int>{link.get()} : std::vector<int>(), limit));
  SW_TRY(os::Message prepared, guest.receive(limit));
  SW_CHECK(decode_ready(prepared.text));

  Contents contents;
  std::vector<os::Fd> bundles;
  if (record.mounts.size() == spec.mounts.size()) {
    if (!record.mounts.empty()) SW_CHECK(attach(record.mounts, record.container->process_id()));
    record.mounts.clear();
  } else {
    for (const Mount& mount : spec.mounts) {
      SW_TRY(os::Fd bundle, bundle_of(mount, record.container->directory().path()));
      if (!bundle && mount.replaced.empty()) continue;
      contents.trees.push_back({mount.inside, mount.replaced, static_cast<bool>(bundle)});
      if (bundle) bundles.push_back(std::move(bundle));
    }
  }
  std::vector<int> fds;
  fds.reserve(bundles.size() + 1);
  for (const os::Fd& bundle : bundles) fds.push_back(bundle.get());
  if (memory) fds.push_back(memory->fd.get());
  SW_CHECK(guest.send(encode(contents), fds, limit));
  SW_TRY(os::Message done, guest.receive(limit));
  SW_TRY(Ready ready, decode_ready(done.text));
  if (done.fds.size() != setup.services) return fail(ErrorKind::invalid, "its network has not as many links as asked");
  record.links = std::move(done.fds);
  return ready;
}

Result<void> DockerBackend::wait(const SandboxId& id, const os::CallLimit& limit) {
  const auto record = sandboxes_.find(id);
  if (!record) return {};  // destroyed: it has ended
  return record->container->wait_for_processes(limit);
}

Result<Usage> DockerBackend::usage(const SandboxId& id) {
  const auto record = sandboxes_.find(id);
  if (!record) return fail(ErrorKind::not_found, "no sandbox " + id.value);
  const os::CgroupFigures figures = record->container->figures();
  Usage usage{figures.cpu_micros, figures.memory_peak_bytes, figures.out_of_memory_kills};
  if (usage.out_of_memory_kills == 0 && !record->container->has_processes()) {
    // Its group may be gone already: Docker remembers what happened to it.
    // Until now and not a moment later: the daemon would wait for it.
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto events =
        engine_.get(fmt::format("/events?since={}&until={}.{:09}&filters={}", record->began, now.tv_sec, now.tv_nsec,
                                filters({{"container", record->container->container()}, {"event", "oom"}})),
                    os::within(std::chrono::seconds(3)));
    if (events && events->find("\"oom\"") != std::string::npos) usage.out_of_memory_kills = 1;
  }
  return usage;
}

Result<void> DockerBackend::remove_container(const std::string& container, const os::CallLimit& limit) {
  const auto removed = engine_.remove("/containers/" + container + "?force=1&v=1", limit);
  // Gone already, or going: both are what is wanted.
  if (removed || removed.error().kind == ErrorKind::not_found || removed.error().kind == ErrorKind::conflict) return {};
  return std::unexpected(removed.error());
}

// By its name: nobody may have been told its id.
Result<void> DockerBackend::remove_unanswered(const std::filesystem::path& directory, const SandboxId& id,
                                              const os::CallLimit& limit) {
  struct stat asked{};
  const bool may_come = ::stat((directory / kAskedName).c_str(), &asked) == 0;
  const auto last = std::chrono::system_clock::from_time_t(asked.st_mtim.tv_sec + 1) + kMayComeWithin;
  const os::Deadline at_most = os::Clock::now() + kMayComeWithin;
  for (;;) {
    const auto removed = engine_.remove("/containers/" + container_name(id) + "?force=1&v=1", limit);
    if (removed || removed.error().kind == ErrorKind::conflict) return {};
    if (removed.error().kind != ErrorKind::not_found) return std::unexpected(removed.error());
    if (!may_come || std::chrono::system_clock::now() > last || os::Clock::now() > at_most) return {};
    const auto paused = os::wait_any_readable({}, os::within(kLookEvery, limit.stop));
    if (!paused && paused.error().kind == ErrorKind::cancelled) return std::unexpected(paused.error());
  }
}

Result<void> DockerBackend::tear_down(Record& record, const os::CallLimit& limit) {
  record.listener.reset();
  record.mounts.clear();
  if (!record.container) {
    if (record.began != 0) SW_CHECK(remove_unanswered(record.directory.path(), record.id, limit));
    return record.directory.destroy();
  }
  LiveContainer& container = *record.container;
  if (container.state() == LiveContainer::State::lost) {
    // What the daemon remembers of it is swept by label when it is back.
    SW_CHECK(container.end_processes(limit));
    return container.directory().destroy();
  }
  // One whose init has ended by itself is being removed already.
  const bool ending = container.is_followed() && !container.has_processes();
  const auto removed_by_itself = ending ? container.wait_for_removal(os::within(kRemovalWithin, limit.stop))
                                        : Result<void>(fail(ErrorKind::timeout, ""));
  if (!removed_by_itself && container.state() != LiveContainer::State::removed) {
    SW_CHECK(remove_container(container.container(), limit));
    SW_CHECK(container.wait_for_removal(limit));
  }
  return container.directory().destroy();
}

Result<void> DockerBackend::destroy(const SandboxId& id, const os::CallLimit& limit) {
  return sandboxes_.destroy(
      id, [&](Record& record) { return tear_down(record, limit); },
      [&](SandboxDirectory& directory) -> Result<void> {
        SW_CHECK(remove_unanswered(directory.path(), id, limit));
        return directory.destroy();
      });
}

Result<std::vector<SandboxId>> DockerBackend::list_abandoned() { return abandoned_in(sandboxes_.parent()); }

Result<void> DockerBackend::sweep(const os::CallLimit& limit) {
  SW_CHECK(sweep_containers(limit));
  // Those that the list did not have yet.
  SW_TRY(const std::vector<SandboxId> abandoned, list_abandoned());
  for (const SandboxId& id : abandoned) {
    const auto directory = SandboxDirectory::take_over(sandboxes_.parent(), id);
    if (directory && ::access((directory->path() / kAskedName).c_str(), F_OK) == 0) {
      if (auto removed = remove_unanswered(directory->path(), id, limit);
          !removed) {  // the others must not wait for it
        log_.write(LogLevel::warn, "sandbox_not_swept", {{"sandbox", id.value}, {"error", removed.error().what}});
      }
    }
  }
  return sweep_directories(sandboxes_.parent(), log_, limit);
}

Result<void> DockerBackend::sweep_containers(const os::CallLimit& limit) {
  // A directory says whose they are: one of a live slipway is locked by it.
  SW_TRY(const std::string listed,
         engine_.get("/containers/json?all=1&filters=" +
                         filters({{"label", std::string(kStateLabel) + "=" + options_.state_dir.string()}}),
                     limit));
  boost::system::error_code bad;
  const json::value document = json::parse(listed, bad);
  if (bad || !document.is_array()) return fail(ErrorKind::invalid, "Docker's list of containers is no JSON array");
  for (const json::value& one : document.get_array()) {
    const json::value* labels = one.is_object() ? one.get_object().if_contains("Labels") : nullptr;
    const json::value* name =
        labels != nullptr && labels->is_object() ? labels->get_object().if_contains(kSandboxLabel) : nullptr;
    if (name == nullptr || !name->is_string()) continue;
    const SandboxId id{std::string(name->get_string())};
    if (!is_plain_name(id.value)) continue;
    auto taken = SandboxDirectory::take_over(sandboxes_.parent(), id);
    if (!taken && taken.error().kind != ErrorKind::not_found) continue;  // it lives
    const std::string container(id_in(json::serialize(one)));
    if (auto removed = remove_container(container, limit); !removed) {
      log_.write(LogLevel::warn, "sandbox_not_swept", {{"sandbox", id.value}, {"error", removed.error().what}});
      continue;
    }
    if (taken) (void)taken->destroy();  // else below, or at the next start
    log_.write(LogLevel::info, "sandbox_swept", {{"sandbox", id.value}});
  }
  return {};
}

}  // namespace slipway::sandbox::docker
