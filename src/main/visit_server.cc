#include "main/visit_server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <exception>

#include <fmt/format.h>

#include "net/unix_socket.h"
#include "os/files.h"
#include "os/wait.h"
#include "store/owner.h"

namespace slipway::program {

namespace {

using namespace std::chrono_literals;

constexpr auto kAskLimit = 1s;  // a visitor asks at once; one who does not keeps others waiting
constexpr auto kAnswerLimit = 1s;
constexpr auto kAfterTrouble = 1s;

Result<ino_t> mount_namespace_of(const std::string& process) {
  struct stat status{};
  if (::stat(fmt::format("/proc/{}/ns/mnt", process).c_str(), &status) != 0) return fail_errno(errno, "/proc");
  return status.st_ino;
}

// A process of a sandbox that got hold of the socket by whatever way is still not heard.
bool is_of_this_user(const net::Peer& peer) {
  if (peer.pid <= 0 || peer.uid != ::geteuid()) return false;
  const auto own = mount_namespace_of("self");
  const auto theirs = mount_namespace_of(std::to_string(peer.pid));
  return own && theirs && *own == *theirs;
}

void remove_dead_sockets(const std::filesystem::path& state_dir) {
  const auto names = os::list_directory(VisitServer::directory_of(state_dir));
  if (!names) return;  // the next start tries again
  for (const std::string& name : *names) {
    const std::filesystem::path path = VisitServer::directory_of(state_dir) / name;
    if (path.extension() == ".sock" && !store::is_alive(state_dir, path.stem())) ::unlink(path.c_str());
  }
}

}  // namespace

Result<std::unique_ptr<VisitServer>> VisitServer::start(const std::filesystem::path& state_dir,
                                                        const std::string& owner, LocalExecutor& jobs, Log& log) {
  remove_dead_sockets(state_dir);
  SW_TRY(os::Fd listener, net::listen_unix(directory_of(state_dir), name_of(owner)));
  return std::unique_ptr<VisitServer>(
      new VisitServer(directory_of(state_dir) / name_of(owner), std::move(listener), jobs, log));
}

VisitServer::VisitServer(std::filesystem::path path, os::Fd listener, LocalExecutor& jobs, Log& log)
    : path_(std::move(path)), listener_(std::move(listener)), jobs_(jobs), log_(log) {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    try {
      serve(stop);
    } catch (const std::exception& problem) {  // a thread's top frame: nobody can attach any more, jobs go on
      log_.write(LogLevel::error, "visits_not_served", {{"error", problem.what()}});
    }
  });
}

VisitServer::~VisitServer() { ::unlink(path_.c_str()); }

void VisitServer::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto peer = net::accept_unix(listener_.get(), {stop, os::Deadline::max()});
    if (!peer) {
      if (peer.error().kind == ErrorKind::cancelled) return;
      log_.write(LogLevel::warn, "visitor_not_served", {{"error", peer.error().what}});
      (void)os::wait_any_readable({}, os::within(kAfterTrouble, stop));  // no descriptor is left: one may be by then
      continue;
    }
    if (is_of_this_user(*peer)) {
      let_in(std::move(peer->socket), stop);
    } else {
      log_.write(LogLevel::warn, "visitor_refused", {{"pid", std::to_string(peer->pid)}});
    }
  }
}

void VisitServer::let_in(os::Fd socket, const std::stop_token& stop) {
  os::MessageSocket visitor(std::move(socket));
  const auto message = visitor.receive(os::within(kAskLimit, stop));
  if (!message) return;
  const auto refuse = [&](os::MessageSocket& to, const std::string& why) {
    (void)to.send(wire::encode(wire::VisitReply{why, {}, {}}), {}, os::within(kAnswerLimit, stop));  // or it has gone
  };
  auto request = wire::decode_visit_request(message->text);
  if (!request) return refuse(visitor, request.error().what);
  if (request->what == wire::VisitRequest::What::list) {
    (void)visitor.send(wire::encode(wire::VisitReply{{}, {}, jobs_.live()}), {}, os::within(kAnswerLimit, stop));
    return;
  }
  // It answers over a descriptor of its own once the job's driver has it; ours is for a refusal.
  os::MessageSocket ours(os::Fd(::dup(visitor.fd())));
  const auto taken = jobs_.visit({*std::move(request), std::move(visitor)});
  if (!taken) refuse(ours, taken.error().what);
}

}  // namespace slipway::program
