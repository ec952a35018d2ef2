#include "init/owner_link.h"

#include <poll.h>

#include <algorithm>
#include <iterator>

#include "base/scope_exit.h"

namespace slipway::init {

namespace {

using namespace std::chrono_literals;

// The owner does not read while it stores a bundle (10 min at most). One that died is noticed at once.
constexpr auto kSendLimit = 15min;
constexpr auto kReceiveLimit = 5s;
constexpr auto kReplyLimit = 10min;  // the owner may have to store a large bundle first

}  // namespace

OwnerLink::~OwnerLink() { poller_.unwatch(watch_); }

Result<OwnerLink::Received> OwnerLink::receive_orders() {
  std::vector<wire::InputBundle> inputs;
  std::vector<os::Fd> bundles;
  for (;;) {
    SW_TRY(os::Message message, socket_.receive({}));
    SW_TRY(wire::ToInit said, wire::decode_to_init(message.text));
    if (auto* orders = std::get_if<wire::Orders>(&said)) {
      // Journal and ring come first, then the bundles in the order of the messages.
      const std::size_t fixed = std::min(message.fds.size(), wire::kFixedFds);
      message.fds.insert(message.fds.begin() + static_cast<std::ptrdiff_t>(fixed),
                         std::make_move_iterator(bundles.begin()), std::make_move_iterator(bundles.end()));
      orders->inputs.insert(orders->inputs.begin(), inputs.begin(), inputs.end());
      return Received{std::move(*orders), std::move(message.fds)};
    }
    auto* more = std::get_if<wire::Inputs>(&said);
    if (more == nullptr) return fail(ErrorKind::invalid, "the leash began with something else than orders");
    inputs.insert(inputs.end(), more->inputs.begin(), more->inputs.end());
    if (inputs.size() > wire::kMaxInputs || more->inputs.size() != message.fds.size()) {
      return fail(ErrorKind::invalid, "inputs without their descriptors, or too many");
    }
    std::ranges::move(message.fds, std::back_inserter(bundles));
  }
}

void OwnerLink::attach(Events events) {
  events_ = std::move(events);
  watch_ = poller_.watch(socket_.fd(), POLLIN, [this] { on_ready(); });
}

void OwnerLink::on_ready() {
  auto message = socket_.receive(os::within(kReceiveLimit));
  if (!message) return lose();
  const auto said = wire::decode_to_init(message->text);
  if (!said) return;  // a newer owner's message that this program does not know
  std::visit(Overloaded{
                 [](const wire::Inputs&) {},
                 [](const wire::Orders&) {},  // given once
                 [this](const wire::Cancel& cancel) { events_.cancel(cancel); },
                 [&](const wire::Reply& given) { reply(given, std::move(message->fds)); },
             },
             *said);
}

void OwnerLink::send(const wire::ToOwner& message) {
  if (lost_) return;
  if (!socket_.send(wire::encode(message), {}, os::within(kSendLimit))) lose();
}

bool OwnerLink::try_send(const wire::ToOwner& message) {
  if (lost_) return false;
  // Writable means that most of the socket's buffer is free: a small message goes whole.
  pollfd polled{socket_.fd(), POLLOUT, 0};
  if (::poll(&polled, 1, 0) == 0) return false;
  send(message);
  return !lost_;
}

void OwnerLink::ask(std::string kind, std::string json, OnReply on_reply) {
  const std::uint64_t id = ++last_id_;
  Pending pending{std::move(on_reply), {}};
  pending.timeout = poller_.at(os::Clock::now() + kReplyLimit, [this, id] {
    reply({id, false, R"({"error":"the owner of this sandbox does not answer"})"}, {});
  });
  pending_.emplace(id, std::move(pending));
  send(wire::Request{id, std::move(kind), std::move(json)});
  if (lost_) reply({id, false, R"({"error":"the owner of this sandbox is gone"})"}, {});
}

std::uint64_t OwnerLink::ask_with(std::string kind, std::string json, const std::vector<int>& fds, OnReply on_reply) {
  const std::uint64_t id = ++last_id_;
  pending_.emplace(id, Pending{std::move(on_reply), Poller::kNone});
  const std::string text = wire::encode(wire::ToOwner(wire::Request{id, std::move(kind), std::move(json)}));
  if (!lost_ && !socket_.send(text, fds, os::within(kSendLimit))) lose();
  if (lost_) reply({id, false, R"({"error":"the owner of this sandbox is gone"})"}, {});
  return id;
}

void OwnerLink::reply(const wire::Reply& given, std::vector<os::Fd> fds) {
  const auto found = pending_.find(given.id);
  if (found == pending_.end()) return;
  poller_.cancel(found->second.timeout);
  const OnReply on_reply = std::move(found->second.on_reply);
  pending_.erase(found);
  on_reply(given, std::move(fds));
}

void OwnerLink::lose() {
  if (lost_) return;
  lost_ = true;
  poller_.unwatch(watch_);
  while (!pending_.empty()) {
    reply({pending_.begin()->first, false, R"({"error":"the owner of this sandbox is gone"})"}, {});
  }
  if (events_.lost) events_.lost();
}

}  // namespace slipway::init
