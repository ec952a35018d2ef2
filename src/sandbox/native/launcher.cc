#include "sandbox/native/launcher.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <map>
#include <optional>
#include <utility>

#include "os/files.h"
#include "os/message_socket.h"
#include "os/wait.h"
#include "sandbox/native/child.h"
#include "sandbox/native/pasta.h"
#include "sandbox/native/pool.h"

namespace slipway::sandbox::native {

namespace {

constexpr auto kSpareAfter = std::chrono::milliseconds(1);
constexpr std::size_t kMostNamespaces = 4096;  // kept, of each kind

// A fork into a new pid namespace; on v2 right into init's leaf.
// `pidfd`: where its descriptor goes; null: nobody needs one.
pid_t fork_first_process(int init_leaf, int* pidfd = nullptr) {
  clone_args args{};
  args.flags = CLONE_NEWPID;
  if (pidfd != nullptr) {
    args.flags |= CLONE_PIDFD;
    args.pidfd = reinterpret_cast<__u64>(pidfd);
  }
  args.exit_signal = SIGCHLD;
  if (init_leaf >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<__u64>(init_leaf);
  }
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
}

class Launcher {
 public:
  Launcher(init::EntryPoint entry, Identity::Kind kind, std::string stage, const std::vector<std::string>& host_paths)
      : entry_(entry), kind_(kind), stage_(std::move(stage)), host_(read_host_layout(host_paths)) {}

  /// Starts one sandbox. The child's end never returns from here.
  void serve(os::Message message) {
    if (message.fds.size() < 2) return;  // the owner is not ours; there is nobody to tell
    os::Fd status = std::move(message.fds[1]);
    if (const auto mount_point = decode_pool_request(message.text)) {
      spare_.reset();  // its mounts are those of before
      const auto pool = mount_pool(message.fds[0].get(), *mount_point);
      os::MessageSocket answer(std::move(status));
      (void)answer.send(pool ? "{}" : encode_failure(pool.error()),
                        pool ? std::vector<int>{pool->get()} : std::vector<int>{},
                        os::within(std::chrono::seconds(1)));  // an owner that is gone needs no answer
      return;
    }
    if (auto started = start(std::move(message), status); !started) {
      (void)os::MessageSocket(std::move(status))
          .send(encode_failure(started.error()), {}, os::within(std::chrono::seconds(1)));
    }
  }

  /// A sandbox after the first is likely not the last: while nobody asks, the next one is begun. One at most.
  bool wants_spare() const { return !spare_ && could_be_spares_ > 1; }
  void make_spare() {
    could_be_spares_ = 1;  // not again before another sandbox has taken this one, should it fail
    auto pair = os::make_socket_pair();
    if (!pair) return;
    const auto begin = [&](std::optional<os::MessageSocket> line) {
      return run_spare(std::move(pair->second), std::move(line), host_, kind_, entry_);
    };
    if (!fork_sandbox(-1, spare_by_pasta_, begin)) return;  // the next sandbox starts without, and tells why
    spare_.emplace(std::move(pair->first));
  }

 private:
  struct SlotNamespaces {
    os::Fd sandbox, root_steps;
  };

  Result<void> start(os::Message message, const os::Fd& status) {
    SW_TRY(SetupSpec spec, decode_setup_spec(message.text));
    const Identity identity(kind_, spec.slot, spec.runner_outside);
    ChildInput input;
    input.leash = std::move(message.fds[0]);
    std::size_t next = 2;
    const auto take = [&]() -> os::Fd { return next < message.fds.size() ? std::move(message.fds[next++]) : os::Fd(); };
    const os::Fd init_leaf = spec.has_init_leaf ? take() : os::Fd();
    if (needs_job(spec.sandbox)) {
      input.joined = take();
      if (!input.joined) return fail(ErrorKind::invalid, "the request lacks what it joins of its job");
    }
    SW_CHECK(add_namespaces(spec, identity, input));
    input.spec = std::move(spec);
    input.status = os::Fd(::fcntl(status.get(), F_DUPFD_CLOEXEC, 3));
    if (fits_spare(input.spec)) {
      ++could_be_spares_;
      // The next one is likely of the same kind.
      if (std::exchange(spare_by_pasta_, input.spec.by_pasta) != input.spec.by_pasta) spare_.reset();
      if (give_to_spare(message.text, input)) return {};
    }
    const bool by_pasta = input.spec.by_pasta;
    return fork_sandbox(init_leaf.get(), by_pasta, [&](std::optional<os::MessageSocket> line) {
      input.network_line = std::move(line);
      return run_child(std::move(input), host_, kind_, entry_);
    });
  }

  // A sandbox's first process, which does `begin`, and beside it the guard of its pasta.
  template <class Begin>
  Result<void> fork_sandbox(int init_leaf, bool by_pasta, const Begin& begin) {
    os::SocketPair line;
    if (by_pasta) {
      SW_TRY(line, os::make_socket_pair());
    }
    int process = -1;
    const pid_t child = fork_first_process(init_leaf, &process);
    if (child == 0) {
      line.second.reset();
      ::_exit(begin(by_pasta ? std::optional<os::MessageSocket>(std::move(line.first)) : std::nullopt));
    }
    if (child < 0) return fail_errno(errno, "starting the sandbox's first process");
    os::Fd ended(process);
    if (!by_pasta) return {};
    line.first.reset();
    const pid_t guard = fork_first_process(-1);
    if (guard == 0) {
      begin_process({line.second.get(), ended.get()});
      ::_exit(run_pasta_guard(std::move(line.second), std::move(ended), stage_));
    }
    // Without it the sandbox finds its line closed, and says that.
    return {};
  }

  // False: there is none, or it is no good, and has not got the input.
  bool give_to_spare(const std::string& request, const ChildInput& input) {
    if (!spare_) return false;
    const os::CallLimit limit = os::within(std::chrono::seconds(5));
    const bool given = spare_->receive(limit) && send_input(*spare_, request, input, limit);
    spare_.reset();
    return given;
  }

  Result<void> add_namespaces(const SetupSpec& spec, const Identity& identity, ChildInput& input) {
    SW_TRY(const SlotNamespaces* slot, namespaces_of(spec, identity));
    SW_TRY(input.sandbox_namespace, copy(slot->sandbox));
    if (slot->root_steps) {
      SW_TRY(input.root_namespace, copy(slot->root_steps));
    }
    for (const Mount& mount : spec.sandbox.mounts) {
      input.mount_owner.emplace_back();
      // Rootless: the caller's files are the runner's already, by the sandbox's own map.
      if (!mount.owner || kind_ != Identity::Kind::root) continue;
      SW_TRY(input.mount_owner.back(), owner_namespace(mount, identity, appears(mount, spec.sandbox.run_as)));
    }
    if (spec.sandbox.beside) {
      SW_TRY(input.shared_namespace, cached(identity.showing_shared(spec.shared_owner)));
    }
    return {};
  }

  // Made at a slot's first use and kept: making one takes two processes and a millisecond.
  Result<const SlotNamespaces*> namespaces_of(const SetupSpec& spec, const Identity& identity) {
    const std::pair key(spec.slot, spec.runner_outside);
    if (const auto found = slots_.find(key); found != slots_.end()) return &found->second;
    if (slots_.size() >= kMostNamespaces) slots_.clear();
    SlotNamespaces made;
    SW_TRY(made.sandbox, os::make_user_namespace(identity.map()));
    if (kind_ != Identity::Kind::single && !spec.sandbox.beside) {  // no step of a sibling is root
      SW_TRY(made.root_steps,
             os::make_nested_user_namespace(made.sandbox.get(), identity.init_id(), identity.map_for_root_steps()));
    }
    return &slots_.emplace(key, std::move(made)).first->second;
  }

  Result<os::Fd> owner_namespace(const Mount& mount, const Identity& identity, std::uint32_t appears_as) {
    struct stat status{};
    if (::stat(mount.outside.c_str(), &status) != 0) return fail_errno(errno, mount.outside.string());
    return cached(identity.showing(*mount.owner, status.st_gid, appears_as));
  }

  Result<os::Fd> cached(const os::IdMap& map) {
    const std::string key = map.users + "|" + map.groups;
    auto found = owners_.find(key);
    if (found == owners_.end()) {
      if (owners_.size() >= kMostNamespaces) owners_.clear();
      SW_TRY(os::Fd made, os::make_user_namespace(map));
      found = owners_.emplace(key, std::move(made)).first;
    }
    return copy(found->second);
  }

  static Result<os::Fd> copy(const os::Fd& fd) {
    os::Fd copied(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
    if (!copied) return fail_errno(errno, "copying a descriptor");
    return copied;
  }

  const init::EntryPoint entry_;
  const Identity::Kind kind_;
  const std::string stage_;
  const HostLayout host_;
  std::map<std::pair<int, std::uint32_t>, SlotNamespaces> slots_;  // by slot, and the runner of a sibling
  std::map<std::string, os::Fd> owners_;                           // by the map's text
  std::optional<os::MessageSocket> spare_;
  bool spare_by_pasta_ = false;
  std::uint64_t could_be_spares_ = 0;  // sandboxes since the last one was made
};

// Rootless: the launcher becomes root of a user namespace, with the caller's subordinate ids where newuidmap gives
// them. Returns what it got.
Result<Identity::Kind> take_power() {
  if (::geteuid() == 0) return Identity::Kind::root;
  SW_TRY(const bool with_range, os::enter_own_user_namespace());
  return with_range ? Identity::Kind::range : Identity::Kind::single;
}

Result<void> prepare_process(const std::string& stage) {
  if (::unshare(CLONE_NEWNS) != 0) return fail_errno(errno, "a mount namespace");
  // Slave: what the host mounts later is seen here, nothing of ours is seen there.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return fail_errno(errno, "own mounts");
  if (::chdir(stage.c_str()) != 0) return fail_errno(errno, "entering " + stage);
  ::signal(SIGCHLD, SIG_IGN);  // ended sandboxes leave nothing to reap: their owner holds a pidfd
  return {};
}

}  // namespace

int run_launcher(const std::string& stage, const std::vector<std::string>& host_paths, init::EntryPoint entry) {
  os::MessageSocket owner{os::Fd(kLauncherSocket)};
  const Result<Identity::Kind> kind = take_power();
  const Result<void> ready = kind ? prepare_process(stage) : Result<void>(std::unexpected(kind.error()));
  Launcher launcher(entry, kind.value_or(Identity::Kind::root), stage, host_paths);
  for (;;) {
    // The sandbox just started has the machine to itself for a moment: it is waited for, a spare is not.
    if (ready && launcher.wants_spare()) {
      const auto asked = os::wait_readable(owner.fd(), os::within(kSpareAfter));
      if (!asked && asked.error().kind == ErrorKind::timeout) launcher.make_spare();
    }
    auto message = owner.receive({});
    if (!message) return 0;  // the owner is gone
    if (ready) {
      launcher.serve(std::move(*message));
    } else if (message->fds.size() >= 2) {
      os::MessageSocket status(std::move(message->fds[1]));
      (void)status.send(encode_failure(ready.error()), {}, os::within(std::chrono::seconds(1)));
    }
  }
}

}  // namespace slipway::sandbox::native
