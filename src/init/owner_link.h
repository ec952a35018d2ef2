#pragma once

#include <sys/socket.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "init/poller.h"
#include "os/message_socket.h"
#include "wire/leash.h"

namespace slipway::init {

/// The leash, seen from inside. One thread.
///
/// An owner that said `keep` may go away: what it was asked, and what would be asked of it, waits for the next one, who
/// connects to the socket that it left. That one is known by where it comes from: never out of this sandbox, and the
/// first owner's user. While there is an owner nobody else is heard.
class OwnerLink {
 public:
  using OnReply = std::function<void(const wire::Reply&, std::vector<os::Fd>)>;
  struct Events {
    std::function<void(const wire::Cancel&)> cancel;
    std::function<void()> lost;          ///< nobody holds the leash any more, nor will
    std::function<void()> adopted = {};  ///< another owner holds it
    // Of a job's init only.
    std::function<void(const wire::Attach&)> attach{};
    std::function<void(const wire::Detach&)> left{};
    std::function<void(wire::Resume)> resume{};
  };

  OwnerLink(Poller& poller, os::Fd leash);
  ~OwnerLink();

  /// Blocks until the orders are there. `unavailable`: the owner went away first.
  struct Received {
    wire::Orders orders;
    std::vector<os::Fd> fds;
  };
  Result<Received> receive_orders();

  /// From here on messages are taken by the loop.
  void attach(Events events);

  /// Waits for an owner that is busy, as long as it lives. One that comes later hears only what is in wire/leash.h.
  void send(const wire::ToOwner& message, const std::vector<int>& fds = {});
  /// Does not wait for one that is: for a small message that may as well be sent later. False: it was not sent.
  bool try_send(const wire::ToOwner& message);
  /// `on_reply` is called once; with `ok` false when the owner is lost or does not answer in time. Another owner is
  /// asked again.
  void ask(std::string kind, std::string json, OnReply on_reply);
  /// The same with descriptors, for what takes as long as it takes and ends with the owner: that may be waited for
  /// without end, but no other is asked again. Returns the number of the request.
  std::uint64_t ask_with(std::string kind, std::string json, const std::vector<int>& fds, OnReply on_reply);
  bool is_lost() const { return state_ == State::lost; }
  bool is_here() const { return state_ == State::here; }
  /// Counts the owners: what one of them opened is not known to the next.
  std::uint64_t owner_number() const { return owner_number_; }

 private:
  enum class State { here, away, lost };
  struct Pending {
    OnReply on_reply;
    std::string text;           // the request, to be sent again
    bool with_fds = false;      // it ends with its owner
    std::vector<os::Fd> fds{};  // of one that no owner has heard yet
    Poller::Token timeout = Poller::kNone;
  };
  struct Estate {
    wire::Keep keep;
    os::Fd listener;
    std::vector<os::Fd> held;
  };
  Result<void> take_estate(wire::Keep keep, std::vector<os::Fd> fds);
  void on_ready();
  void lose();
  void give_up();
  void on_knock();
  bool may_own(int socket) const;
  Result<void> greet(os::MessageSocket& next) const;
  void ask_again();
  void watch_answer(std::uint64_t id);
  void reply(const wire::Reply& reply, std::vector<os::Fd> fds);

  Poller& poller_;
  os::MessageSocket socket_;
  ucred first_owner_{};
  std::optional<Estate> estate_;
  std::string note_;
  Events events_;
  Poller::Token watch_ = Poller::kNone, grace_ = Poller::kNone;
  State state_ = State::here;
  std::uint64_t owner_number_ = 1;
  bool said_ready_ = false;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Pending> pending_;
};

}  // namespace slipway::init
