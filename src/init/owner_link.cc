#include "init/owner_link.h"

#include <fcntl.h>
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
constexpr const char* kGone = R"({"error":"the owner of this sandbox is gone"})";

}  // namespace

OwnerLink::OwnerLink(Poller& poller, os::Fd leash) : poller_(poller), socket_(std::move(leash)) {
  socklen_t size = sizeof first_owner_;
  (void)::getsockopt(socket_.fd(), SOL_SOCKET, SO_PEERCRED, &first_owner_, &size);  // else it is nobody: uid and pid 0
}

OwnerLink::~OwnerLink() {
  poller_.unwatch(watch_);
  poller_.cancel(grace_);
}

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
    if (auto* keep = std::get_if<wire::Keep>(&said)) {
      SW_CHECK(take_estate(std::move(*keep), std::move(message.fds)));
      continue;
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

Result<void> OwnerLink::take_estate(wire::Keep keep, std::vector<os::Fd> fds) {
  if (estate_ || fds.empty()) return fail(ErrorKind::invalid, "`keep` came twice, or without its socket");
  os::Fd listener = std::move(fds.front());
  fds.erase(fds.begin());
  estate_.emplace(Estate{std::move(keep), std::move(listener), std::move(fds)});
  return {};
}

void OwnerLink::on_ready() {
  auto message = socket_.receive(os::within(kReceiveLimit));
  if (!message) return lose();
  const auto said = wire::decode_to_init(message->text);
  if (!said) return;  // a newer owner's message that this program does not know
  std::visit(Overloaded{
                 [](const wire::Inputs&) {},
                 [](const wire::Orders&) {},  // given once
                 [](const wire::Keep&) {},    // before the orders
                 [this](const wire::Note& note) { note_ = note.text; },
                 [this](const wire::Cancel& cancel) { events_.cancel(cancel); },
                 [&](const wire::Reply& given) { reply(given, std::move(message->fds)); },
                 [this](const wire::Attach& visit) {
                   if (events_.attach) events_.attach(visit);
                 },
                 [this](const wire::Detach& gone) {
                   if (events_.left) events_.left(gone);
                 },
                 [this](wire::Resume how) {
                   if (events_.resume) events_.resume(how);
                 },
             },
             *said);
}

void OwnerLink::send(const wire::ToOwner& message, const std::vector<int>& fds) {
  if (std::holds_alternative<wire::Ready>(message)) said_ready_ = true;
  if (state_ != State::here) return;
  if (!socket_.send(wire::encode(message), fds, os::within(kSendLimit))) lose();
}

bool OwnerLink::try_send(const wire::ToOwner& message) {
  if (state_ != State::here) return false;
  // Writable means that most of the socket's buffer is free: a small message goes whole.
  pollfd polled{socket_.fd(), POLLOUT, 0};
  if (::poll(&polled, 1, 0) == 0) return false;
  send(message);
  return state_ == State::here;
}

void OwnerLink::ask(std::string kind, std::string json, OnReply on_reply) {
  const std::uint64_t id = ++last_id_;
  const wire::ToOwner request = wire::Request{id, std::move(kind), std::move(json)};
  pending_.emplace(id, Pending{std::move(on_reply), wire::encode(request)});
  watch_answer(id);
  send(request);
  if (state_ == State::lost) reply({id, false, kGone}, {});
}

std::uint64_t OwnerLink::ask_with(std::string kind, std::string json, const std::vector<int>& fds, OnReply on_reply) {
  const std::uint64_t id = ++last_id_;
  const std::string text = wire::encode(wire::ToOwner(wire::Request{id, std::move(kind), std::move(json)}));
  Pending& pending = pending_.emplace(id, Pending{std::move(on_reply), text, true}).first->second;
  if (state_ == State::away) {
    for (const int fd : fds) pending.fds.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    const bool kept = std::ranges::all_of(pending.fds, [](const os::Fd& fd) { return static_cast<bool>(fd); });
    if (!kept) reply({id, false, R"({"error":"no descriptor is left"})"}, {});
    return id;
  }
  if (state_ == State::here && !socket_.send(text, fds, os::within(kSendLimit))) lose();
  if (state_ == State::lost) reply({id, false, kGone}, {});
  return id;
}

void OwnerLink::watch_answer(std::uint64_t id) {
  if (state_ != State::here) return;
  pending_.at(id).timeout = poller_.at(os::Clock::now() + kReplyLimit, [this, id] {
    reply({id, false, R"({"error":"the owner of this sandbox does not answer"})"}, {});
  });
}

void OwnerLink::reply(const wire::Reply& given, std::vector<os::Fd> fds) {
  const auto found = pending_.find(given.id);
  if (found == pending_.end()) return;
  poller_.cancel(found->second.timeout);
  const OnReply on_reply = std::move(found->second.on_reply);
  pending_.erase(found);
  on_reply(given, std::move(fds));
}

// --- when it goes, and another one comes ---

void OwnerLink::lose() {
  if (state_ != State::here) return;
  poller_.unwatch(watch_);
  if (!estate_) return give_up();
  state_ = State::away;
  std::vector<std::uint64_t> ended;
  for (auto& [id, pending] : pending_) {
    poller_.cancel(std::exchange(pending.timeout, Poller::kNone));
    if (pending.with_fds) ended.push_back(id);
  }
  watch_ = poller_.watch(estate_->listener.get(), POLLIN, [this] { on_knock(); });
  grace_ = poller_.at(os::Clock::now() + estate_->keep.orphan_grace, [this] { give_up(); });
  for (const std::uint64_t id : ended) reply({id, false, kGone}, {});
}

void OwnerLink::give_up() {
  state_ = State::lost;
  poller_.unwatch(watch_);
  while (!pending_.empty()) reply({pending_.begin()->first, false, kGone}, {});
  if (events_.lost) events_.lost();
}

// The path of the socket leads there too, but through a directory that is the owner's alone.
bool OwnerLink::may_own(int socket) const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  // 0: of a pid namespace that cannot be seen from this one, which is everything outside.
  const bool is_as_far_out = (peer.pid == 0) == (first_owner_.pid == 0);
  return is_as_far_out && peer.uid == first_owner_.uid;
}

Result<void> OwnerLink::greet(os::MessageSocket& next) const {
  std::vector<int> fds;
  fds.reserve(estate_->held.size());
  for (const os::Fd& fd : estate_->held) fds.push_back(fd.get());
  const os::CallLimit limit = os::within(kReceiveLimit);
  SW_CHECK(next.send(wire::encode(wire::ToOwner(wire::Kept{estate_->keep.estate, note_})), fds, limit));
  SW_CHECK(next.send(wire::encode(wire::ToOwner(wire::Running{})), {}, limit));
  if (said_ready_) SW_CHECK(next.send(wire::encode(wire::ToOwner(wire::Ready{})), {}, limit));
  return {};
}

void OwnerLink::on_knock() {
  os::Fd peer(::accept4(estate_->listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!peer || !may_own(peer.get())) return;
  os::MessageSocket next(std::move(peer));
  if (!greet(next)) return;
  socket_ = std::move(next);
  state_ = State::here;
  ++owner_number_;
  poller_.cancel(grace_);
  poller_.unwatch(watch_);
  watch_ = poller_.watch(socket_.fd(), POLLIN, [this] { on_ready(); });
  ask_again();
  if (events_.adopted) events_.adopted();
}

void OwnerLink::ask_again() {
  std::vector<std::uint64_t> unanswered;
  for (const auto& [id, pending] : pending_) unanswered.push_back(id);
  for (const std::uint64_t id : unanswered) {
    const auto found = pending_.find(id);
    if (found == pending_.end() || state_ != State::here) continue;
    const std::vector<os::Fd> kept = std::exchange(found->second.fds, {});
    std::vector<int> fds;
    for (const os::Fd& fd : kept) fds.push_back(fd.get());
    if (!found->second.with_fds) watch_answer(id);
    if (!socket_.send(found->second.text, fds, os::within(kSendLimit))) lose();
  }
}

}  // namespace slipway::init
