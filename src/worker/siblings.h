#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "os/guarded.h"
#include "sandbox/sandbox.h"
#include "wire/sandbox_json.h"
#include "worker/attempt_control.h"

namespace slipway::worker {

/// What the siblings of one job have in common.
struct SiblingBase {
  sandbox::SandboxSpec spec;  ///< of each but for its id and shares; `beside` is set
  model::Variables env;       ///< of each: its image's, and what is known of the source
  model::JobSpec job;         ///< as its author declared it: no secret is in it
};

/// The sandboxes for untrusted source beside one job's: a thread each, so that the job's leash goes on being served.
/// All calls are the session's thread's.
class Siblings {
 public:
  static constexpr std::size_t kAtOnce = 8, kMostWaiting = 64, kMostTouched = 1'000;

  /// The answer to the request `id`: to be sent by the session's thread.
  struct Answer {
    std::uint64_t id = 0;
    wire::SandboxReply reply;
    std::vector<os::Fd> files;  ///< one an output
  };

  /// `sandboxes` and `log` outlive it.
  static Result<std::unique_ptr<Siblings>> make(sandbox::SandboxBackend& sandboxes, Log& log, SiblingBase base);
  /// Ends all that run.
  ~Siblings();
  Siblings(const Siblings&) = delete;
  Siblings& operator=(const Siblings&) = delete;

  /// `fds`: its standard output and error. At once, or as soon as one of kAtOnce others has ended.
  Result<void> start(std::uint64_t id, wire::SandboxRequest request, std::vector<os::Fd> fds);
  /// One that has ended, or never was, is fine.
  void stop(const wire::StopSandbox& stop);

  /// Directories of the job that commands were given (`--share`) or handed files over to, absolute: what lies there may
  /// be the source's. Of more than kMostTouched, the whole workspace. Where `JobSpec::separated`, so is its source
  /// directory.
  void note_touched(const wire::SandboxRequest& request);
  std::vector<std::string> touched() const { return {touched_.begin(), touched_.end()}; }

  /// Readable when there are answers to take.
  int wake_fd() const { return wake_.get(); }
  std::vector<Answer> take_answers();

 private:
  struct Order {
    std::uint64_t id = 0;
    wire::SandboxRequest request;
    std::vector<os::Fd> fds;
  };
  struct Running {
    std::unique_ptr<AttemptControl> control;
    std::jthread thread;  // last: uses the above
  };

  Siblings(sandbox::SandboxBackend& sandboxes, Log& log, SiblingBase base, os::Fd wake);
  Result<void> begin(Order order);
  void carry_out(Order order, AttemptControl& control);
  void give(Answer answer);
  void remove(const SandboxId& id);
  Answer run(Order order, AttemptControl& control);
  wire::Orders orders_for(const wire::SandboxRequest& request) const;
  Result<wire::Ended> talk(os::Fd leash, Order& order, AttemptControl& control);
  void take_files(const SandboxId& id, const std::vector<std::string>& names, Answer& answer);

  sandbox::SandboxBackend& sandboxes_;
  Log& log_;
  const SiblingBase base_;
  os::Fd wake_;
  os::Guarded<std::vector<Answer>> ended_;
  std::deque<Order> waiting_;
  std::set<std::string> touched_;
  std::map<std::uint64_t, Running> running_;  // last: its threads use all of the above
};

}  // namespace slipway::worker
