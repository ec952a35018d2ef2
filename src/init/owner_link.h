#pragma once

#include <functional>
#include <map>
#include <vector>

#include "init/poller.h"
#include "os/message_socket.h"
#include "wire/leash.h"

namespace slipway::init {

/// The leash, seen from inside. One thread.
class OwnerLink {
 public:
  using OnReply = std::function<void(const wire::Reply&, std::vector<os::Fd>)>;
  struct Events {
    std::function<void(const wire::Cancel&)> cancel;
    std::function<void()> lost;  ///< end of file: nobody holds the leash any more
  };

  OwnerLink(Poller& poller, os::Fd leash) : poller_(poller), socket_(std::move(leash)) {}
  ~OwnerLink();

  /// Blocks until the orders are there. `unavailable`: the owner went away first.
  struct Received {
    wire::Orders orders;
    std::vector<os::Fd> fds;
  };
  Result<Received> receive_orders();

  /// From here on messages are taken by the loop.
  void attach(Events events);

  /// Waits for an owner that is busy, as long as it lives.
  void send(const wire::ToOwner& message);
  /// Does not wait for one that is: for a small message that may as well be sent later. False: it was not sent.
  bool try_send(const wire::ToOwner& message);
  /// `on_reply` is called once; with `ok` false when the owner is gone or does not answer in time.
  void ask(std::string kind, std::string json, OnReply on_reply);
  /// The same with descriptors, for what takes as long as it takes: the owner may be waited for without end. Returns
  /// the number of the request.
  std::uint64_t ask_with(std::string kind, std::string json, const std::vector<int>& fds, OnReply on_reply);
  bool is_lost() const { return lost_; }

 private:
  struct Pending {
    OnReply on_reply;
    Poller::Token timeout = Poller::kNone;
  };
  void on_ready();
  void lose();
  void reply(const wire::Reply& reply, std::vector<os::Fd> fds);

  Poller& poller_;
  os::MessageSocket socket_;
  Events events_;
  Poller::Token watch_ = Poller::kNone;
  bool lost_ = false;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Pending> pending_;
};

}  // namespace slipway::init
