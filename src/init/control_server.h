#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "init/identity.h"
#include "init/own_directory.h"
#include "init/poller.h"
#include "os/fd.h"
#include "wire/control.h"

namespace slipway::init {

/// Limits of one step's control socket. Whoever goes past them slows or ends its own connections, nobody else's.
struct ControlLimits {
  std::size_t connections = 16;      ///< at once; more wait in the kernel's queue. Not those with an `OnGone`
  double requests_per_second = 200;  ///< on average; a connection that is ahead is not read for a while
  double burst = 1000;
  std::uint64_t bytes = 64ULL << 20U;  ///< of all requests of one step; then refused
  /// For a whole request from its first byte, for an answer to be taken, and between requests.
  std::chrono::milliseconds idle{30'000};
  /// The same when all connections are taken and another waits: then the one that is longest silent has to go.
  std::chrono::milliseconds idle_when_full{1'000};
};

/// The control sockets of steps (wire/control.h): one listener a step, so the socket says who speaks.
class ControlServer {
 public:
  using Respond = std::function<void(const wire::control::Answer&)>;
  /// May answer at once or later; once. Answering when the client has gone is harmless. What it returns, if anything,
  /// is called when the client goes before it was answered: such a client may wait long, and takes nobody's place.
  using OnGone = std::function<void()>;
  using Handler = std::function<OnGone(std::uint16_t step, wire::control::Request request, Respond respond)>;

  ControlServer(Poller& poller, Handler handler, ControlLimits limits = {});
  ~ControlServer();

  /// Listens at `name` in `directory` (which outlives the listener), for `identity` alone. Replaces what was there.
  Result<void> listen(std::uint16_t step, const OwnDirectory& directory, const std::string& name,
                      const Identity& identity);
  /// Ends the listener and all its connections.
  void close(std::uint16_t step);

 private:
  struct Listener {
    os::Fd fd;
    const OwnDirectory* directory = nullptr;
    std::string name;
    uid_t uid = 0;
    Poller::Token watch = Poller::kNone, room = Poller::kNone;
    std::size_t connections = 0;  // but for those with `on_gone`
    double tokens = 0;
    os::Deadline filled_at;
    std::uint64_t bytes_left = 0;
  };
  struct Connection {
    std::uint16_t step = 0;
    os::Fd fd;
    wire::control::Unframer unframer{wire::control::kMaxRequest};
    std::string outgoing;
    bool answering = false;      // a request is being worked on: nothing more is read
    OnGone on_gone;              // of that request
    bool closing = false;        // once `outgoing` is gone
    os::Deadline waits_since{};  // for its client: since it connected, began a request, was answered
    Poller::Token watch = Poller::kNone, timeout = Poller::kNone;
  };

  void accept_all(std::uint16_t step);
  bool make_room(std::uint16_t step);
  void on_ready(std::uint64_t id);
  bool read_some(Connection& connection);
  bool write_some(Connection& connection);
  void take_requests(std::uint64_t id);
  void answer(std::uint64_t id, const wire::control::Answer& answer);
  bool take_token(Listener& listener, std::uint64_t id);
  void free_place(std::uint16_t step);
  void settle(std::uint64_t id);
  void drop(std::uint64_t id);

  Poller& poller_;
  Handler handler_;
  ControlLimits limits_;
  std::map<std::uint16_t, Listener> listeners_;
  std::map<std::uint64_t, Connection> connections_;
  std::uint64_t last_id_ = 0;
  std::shared_ptr<bool> alive_;  // answers may come after this object has gone
};

}  // namespace slipway::init
