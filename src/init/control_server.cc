#include "init/control_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/scope_exit.h"

namespace slipway::init {

namespace control = wire::control;

namespace {

constexpr int kBacklog = 64;
constexpr uid_t kUnmapped = 65534;

control::Answer refusal(ErrorKind kind, std::string why) { return {false, "{}", kind, std::move(why)}; }

}  // namespace

ControlServer::ControlServer(Poller& poller, Handler handler, ControlLimits limits)
    : poller_(poller), handler_(std::move(handler)), limits_(limits), alive_(std::make_shared<bool>(true)) {}

ControlServer::~ControlServer() {
  *alive_ = false;
  while (!listeners_.empty()) close(listeners_.begin()->first);
}

Result<void> ControlServer::listen(std::uint16_t step, const OwnDirectory& directory, const std::string& name,
                                   const Identity& identity) {
  close(step);
  os::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "control socket");
  SW_CHECK(directory.bind(fd.get(), name, identity));
  ScopeExit undo([&] { directory.remove(name); });
  if (::listen(fd.get(), kBacklog) != 0) return fail_errno(errno, "control socket");
  Listener listener;
  listener.directory = &directory;
  listener.name = name;
  listener.uid = identity.uid;
  listener.tokens = limits_.burst;
  listener.filled_at = os::Clock::now();
  listener.bytes_left = limits_.bytes;
  listener.watch = poller_.watch(fd.get(), POLLIN, [this, step] { accept_all(step); });
  listener.fd = std::move(fd);
  listeners_[step] = std::move(listener);
  undo.release();
  return {};
}

void ControlServer::close(std::uint16_t step) {
  const auto found = listeners_.find(step);
  if (found == listeners_.end()) return;
  for (auto next = connections_.begin(); next != connections_.end();) {
    const auto [id, connection] = std::pair(next->first, &next->second);
    ++next;
    if (connection->step == step) drop(id);
  }
  poller_.unwatch(found->second.watch);
  poller_.cancel(found->second.room);
  found->second.directory->remove(found->second.name);
  listeners_.erase(found);
}

void ControlServer::accept_all(std::uint16_t step) {
  Listener& listener = listeners_.at(step);
  while (listener.connections < limits_.connections || make_room(step)) {
    os::Fd fd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    ucred peer{};
    socklen_t size = sizeof peer;
    // The socket's owner is the first check, this the second; ids of a nested namespace may not be mapped here.
    const bool known = ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
                       (peer.uid == listener.uid || (listener.uid == 0 && peer.uid == kUnmapped));
    if (!known) continue;
    const std::uint64_t id = ++last_id_;
    Connection connection;
    connection.step = step;
    connection.watch = poller_.watch(fd.get(), POLLIN, [this, id] { on_ready(id); });
    connection.fd = std::move(fd);
    connection.waits_since = os::Clock::now();
    connections_.emplace(id, std::move(connection));
    ++listener.connections;
    settle(id);
  }
  poller_.set_events(listener.watch, 0);  // until a connection ends
}

/// Clients that say nothing keep nobody out: the one that has been silent longest goes, at once if that is long enough.
bool ControlServer::make_room(std::uint16_t step) {
  auto oldest = connections_.end();
  for (auto it = connections_.begin(); it != connections_.end(); ++it) {
    const Connection& one = it->second;
    const bool waits_for_client = one.step == step && !one.answering && !one.unframer.has_frame();
    if (!waits_for_client) continue;
    if (oldest == connections_.end() || one.waits_since < oldest->second.waits_since) oldest = it;
  }
  if (oldest == connections_.end()) return false;
  const os::Deadline due = oldest->second.waits_since + limits_.idle_when_full;
  if (os::Clock::now() >= due) {
    drop(oldest->first);
    return true;
  }
  Listener& listener = listeners_.at(step);
  poller_.cancel(listener.room);
  listener.room = poller_.at(due, [this, step] {
    listeners_.at(step).room = Poller::kNone;
    accept_all(step);
  });
  return false;
}

void ControlServer::on_ready(std::uint64_t id) {
  Connection& connection = connections_.at(id);
  if (!connection.outgoing.empty()) {
    if (!write_some(connection)) return drop(id);
  } else if (!connection.answering) {
    if (!read_some(connection)) return drop(id);
  } else {
    return drop(id);  // all that is waited for then is its end
  }
  take_requests(id);
}

bool ControlServer::read_some(Connection& connection) {
  std::array<char, 65536> buffer;
  // Never more than what completes one request: the rest waits in the kernel, at the sender's expense.
  const std::size_t most = std::min(buffer.size(), std::max<std::size_t>(connection.unframer.wanted(), 1));
  const ssize_t got = ::recv(connection.fd.get(), buffer.data(), most, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  Listener& listener = listeners_.at(connection.step);
  const auto bytes = static_cast<std::size_t>(got);
  if (bytes > listener.bytes_left) {
    connection.outgoing = control::frame(
        control::encode(refusal(ErrorKind::exhausted, "this step has asked for more than its control socket takes")));
    connection.closing = true;
    return true;
  }
  listener.bytes_left -= bytes;
  if (connection.unframer.is_empty()) connection.waits_since = os::Clock::now();
  if (const auto fed = connection.unframer.feed(std::string_view(buffer.data(), bytes)); !fed) {
    connection.outgoing = control::frame(control::encode(refusal(fed.error().kind, fed.error().what)));
    connection.closing = true;
  }
  return true;
}

bool ControlServer::write_some(Connection& connection) {
  const ssize_t sent =
      ::send(connection.fd.get(), connection.outgoing.data(), connection.outgoing.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  connection.outgoing.erase(0, static_cast<std::size_t>(sent));
  if (connection.outgoing.empty()) connection.waits_since = os::Clock::now();
  return !connection.closing || !connection.outgoing.empty();
}

bool ControlServer::take_token(Listener& listener, std::uint64_t id) {
  const os::Deadline now = os::Clock::now();
  const double gained = std::chrono::duration<double>(now - listener.filled_at).count() * limits_.requests_per_second;
  listener.tokens = std::min(limits_.burst, listener.tokens + gained);
  listener.filled_at = now;
  if (listener.tokens >= 1) {
    listener.tokens -= 1;
    return true;
  }
  const std::chrono::duration<double> wait((1 - listener.tokens) / limits_.requests_per_second);
  Connection& connection = connections_.at(id);
  poller_.set_events(connection.watch, 0);
  poller_.cancel(connection.timeout);
  connection.timeout = poller_.at(now + std::chrono::ceil<std::chrono::milliseconds>(wait), [this, id] {
    connections_.at(id).timeout = Poller::kNone;
    take_requests(id);
  });
  return false;
}

void ControlServer::take_requests(std::uint64_t id) {
  Connection& connection = connections_.at(id);
  if (connection.answering || !connection.outgoing.empty()) return settle(id);
  if (!connection.unframer.has_frame()) return settle(id);
  if (!take_token(listeners_.at(connection.step), id)) return;
  const std::optional<std::string> text = connection.unframer.next();
  connection.answering = true;
  settle(id);
  Result<control::Request> request = control::decode_request(*text);
  if (!request) return answer(id, refusal(request.error().kind, request.error().what));
  OnGone on_gone =
      handler_(connection.step, std::move(*request), [this, id, alive = alive_](const control::Answer& given) {
        if (*alive) answer(id, given);
      });
  const auto found = connections_.find(id);
  if (!on_gone || found == connections_.end() || !found->second.answering) return;
  found->second.on_gone = std::move(on_gone);
  free_place(found->second.step);
  settle(id);
}

void ControlServer::answer(std::uint64_t id, const control::Answer& given) {
  const auto found = connections_.find(id);
  if (found == connections_.end() || !found->second.answering) return;
  Connection& connection = found->second;
  connection.answering = false;
  if (connection.on_gone) ++listeners_.at(connection.step).connections;
  connection.on_gone = nullptr;
  connection.waits_since = os::Clock::now();
  connection.outgoing = control::frame(control::encode(given));
  if (!write_some(connection)) return drop(id);
  settle(id);
}

/// Looks at what the connection waits for now, and for how long.
void ControlServer::settle(std::uint64_t id) {
  Connection& connection = connections_.at(id);
  poller_.cancel(connection.timeout);
  connection.timeout = Poller::kNone;
  if (connection.answering) {
    poller_.set_events(connection.watch, connection.on_gone ? POLLRDHUP : 0);
    return;
  }
  poller_.set_events(connection.watch, connection.outgoing.empty() ? POLLIN : POLLOUT);
  connection.timeout = poller_.at(connection.waits_since + limits_.idle, [this, id] {
    connections_.at(id).timeout = Poller::kNone;
    drop(id);
  });
}

void ControlServer::free_place(std::uint16_t step) {
  const auto listener = listeners_.find(step);
  if (listener == listeners_.end()) return;
  --listener->second.connections;
  poller_.set_events(listener->second.watch, POLLIN);
}

void ControlServer::drop(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  poller_.unwatch(found->second.watch);
  poller_.cancel(found->second.timeout);
  if (!found->second.on_gone) free_place(found->second.step);
  const OnGone on_gone = std::move(found->second.on_gone);
  connections_.erase(found);
  if (on_gone) on_gone();
}

}  // namespace slipway::init
