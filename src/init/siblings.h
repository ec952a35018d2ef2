#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "init/children.h"
#include "init/entry.h"
#include "init/output_pump.h"
#include "init/owner_link.h"
#include "init/record_keeper.h"
#include "wire/sandbox_json.h"

namespace slipway::init {

/// Commands in sandboxes beside this one: asks the owner for them, records what they print with the origin `source`,
/// takes the files that they hand over, and tells how they ended. One thread.
class Siblings {
 public:
  using OnEnd = std::function<void(const wire::Ended&)>;
  struct Parts {
    Poller& poller;
    Children& children;
    OwnerLink& owner;
    OutputPump& output;
    RecordKeeper& records;
    const Entry& entry;
    const model::JobSpec& job;
    std::function<std::uint16_t(std::uint16_t step)> root_of;  ///< the step of the job that `step` is, or is below
  };

  explicit Siblings(Parts parts) : parts_(parts) {}

  /// `on_end` is called once, later. Returns what `stop` takes. `invalid`: a path that cannot be handed over or shared.
  Result<std::uint64_t> start(wire::SandboxRequest request, OnEnd on_end);
  /// One that has ended is fine.
  void stop(std::uint64_t id, bool at_once);
  /// Any that a step asked for?
  bool any(std::uint16_t step) const;
  /// Those, without grace.
  void stop_step(std::uint16_t step);

 private:
  struct Running {
    std::uint16_t step = 0;
    std::uint64_t request = 0;  // of the owner
    std::uint64_t out = 0, err = 0;
    std::string title;  // of a command that a step asked for; empty: the step itself
    OnEnd on_end;
    enum class Stop { no, polite, at_once } stop = Stop::no;  // what the owner was told
  };

  Result<void> check(const wire::SandboxRequest& request) const;
  void take_reply(std::uint64_t id, const wire::Reply& reply, std::vector<os::Fd> fds);
  Result<void> take_files(std::uint64_t id, const wire::SandboxReply& reply, std::vector<os::Fd> fds);
  void end(std::uint64_t id, const wire::Ended& end);

  Parts parts_;
  std::map<std::uint64_t, Running> running_;
  std::uint64_t last_id_ = 0;
};

}  // namespace slipway::init
