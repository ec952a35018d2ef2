#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "init/children.h"
#include "init/control_server.h"
#include "init/entry.h"
#include "init/own_directory.h"
#include "init/owner_link.h"
#include "init/record_keeper.h"
#include "init/step_process.h"
#include "wire/visits.h"

namespace slipway::init {

/// Commands of people in the sandbox: each with a terminal of its own, made here (or pipes), in the job's groups, as
/// one of its steps would run. The owner gets the other ends and hands them on: what is typed and printed passes
/// neither init nor the journal, which only notes who came and went. One thread.
class Attachments {
 public:
  struct Parts {
    Poller& poller;
    Children& children;
    OwnerLink& owner;
    RecordKeeper& records;
    ControlServer& control;
    const Entry& entry;
    const OwnDirectory& runtime;
  };
  /// Of which step a command has the environment.
  struct Place {
    std::size_t step = 0;
    std::string name;
    StepCommand surroundings;
  };
  /// Asked for each command; `socket`: the name of its control socket. An error is told to who wants to attach.
  using FindPlace = std::function<Result<Place>(const std::string& socket)>;

  /// Control sockets of commands count from here.
  static constexpr std::uint16_t kFirstSocket = 0x8000;

  Attachments(Parts parts, FindPlace find_place) : parts_(parts), find_place_(std::move(find_place)) {}

  void open(const wire::Attach& visit);
  /// Who sat there is gone: it is hung up on.
  void close(std::uint64_t id);
  /// The same for all, for `reason`: the job ends, or the owner through whom they came is gone.
  void close_all(const std::string& reason);
  /// The step that a command speaks as over the control socket numbered `socket`.
  std::uint16_t step_of(std::uint16_t socket) const;

 private:
  struct Running {
    StepProcess process;
    os::StepCgroup cgroup;
    std::uint16_t socket = 0, step = 0;
    std::uint64_t id = 0, owner = 0;  // of the visit, which that owner opened
    std::string reason;
    Poller::Token kill = Poller::kNone;
  };
  /// Descriptors of one command: its own, and those for who sits at the other end.
  struct Ends {
    std::vector<os::Fd> inside, outside;
  };

  Result<std::string> try_open(const wire::Attach& visit, Ends& ends);
  static Result<Ends> make_terminal(const wire::AttachCommand& command, const Identity& identity);
  static Result<Ends> make_pipes(const Identity& identity);
  void hang_up(std::uint64_t number, const std::string& reason);
  void end(std::uint64_t number, const ChildEnd& end);

  Parts parts_;
  FindPlace find_place_;
  std::map<std::uint64_t, Running> running_;  // by number: owners count their visits from one each
  std::uint64_t opened_ = 0;
};

}  // namespace slipway::init
