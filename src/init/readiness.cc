#include "init/readiness.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "init/helper_child.h"
#include "model/http_target.h"
#include "os/files.h"

namespace slipway::init {

namespace {

using namespace std::chrono_literals;

constexpr Duration kFirstPause = 10ms;
constexpr Duration kMostPause = 250ms;
constexpr timeval kProbeLimit{2, 0};  // of one connection's every call

// Where the job finds the service; else (nobody else is on its network) the loopback interface.
in_addr own_address() {
  const os::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, "eth0", sizeof request.ifr_name - 1);
  if (!socket || ::ioctl(socket.get(), SIOCGIFADDR, &request) != 0) return {htonl(INADDR_LOOPBACK)};
  sockaddr_in found{};
  std::memcpy(&found, &request.ifr_addr, sizeof found);
  return found.sin_addr;
}

Result<os::Fd> connect_to(in_addr address, int port) {
  os::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "socket");
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kProbeLimit, sizeof kProbeLimit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kProbeLimit, sizeof kProbeLimit);
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_port = htons(static_cast<std::uint16_t>(port));
  there.sin_addr = address;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0) {
    return fail(ErrorKind::unavailable, "nobody listens");
  }
  return fd;
}

/// Is the answer's status 2xx?
Result<void> ask_http(const model::HttpTarget& target) {
  auto reached = connect_to(own_address(), target.port);
  if (!reached) reached = connect_to({htonl(INADDR_LOOPBACK)}, target.port);  // a page for its operator alone will do
  SW_TRY(const os::Fd fd, std::move(reached));
  SW_CHECK(os::write_all(
      fd.get(), fmt::format("GET {} HTTP/1.0\r\nHost: {}\r\nConnection: close\r\n\r\n", target.path, target.host)));
  constexpr std::size_t kStatusLine = 12;  // HTTP/1.x NNN
  std::string answer;
  char buffer[256];
  while (answer.size() < kStatusLine) {
    const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (got <= 0) return fail(ErrorKind::unavailable, "no answer");
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  if (!answer.starts_with("HTTP/1.") || answer[9] != '2') return fail(ErrorKind::unavailable, "another status");
  return {};
}

}  // namespace

Readiness::Readiness(model::Readiness wanted, Parts parts, Events events)
    : wanted_(std::move(wanted)), parts_(std::move(parts)), events_(std::move(events)), pause_(kFirstPause) {}

Readiness::~Readiness() {
  parts_.poller.cancel(timer_);
  parts_.poller.cancel(limit_);
}

void Readiness::start() {
  limit_ = parts_.poller.at(os::Clock::now() + wanted_.within, [this] {
    limit_ = Poller::kNone;
    done_ = true;
    if (probing_ > 0 && ::kill(-probing_, SIGKILL) != 0) ::kill(probing_, SIGKILL);  // not each has a group of its own
    events_.out_of_time(missing());
  });
  check();
  if (!done_) probe();
}

void Readiness::on_output(std::string_view bytes) {
  if (done_ || wanted_.log.empty()) return;
  last_text_ += bytes;
  if (last_text_.find(wanted_.log) != std::string::npos) {
    wanted_.log.clear();
    return check();
  }
  const std::size_t kept = std::min(last_text_.size(), wanted_.log.size() - 1);
  last_text_.erase(0, last_text_.size() - kept);
}

/// What held once needs not hold again: it is taken out of `wanted_`.
void Readiness::check() {
  if (done_ || !missing().empty()) return;
  done_ = true;
  parts_.poller.cancel(limit_);
  parts_.poller.cancel(timer_);
  events_.ready();
}

std::string Readiness::missing() const {
  if (wanted_.tcp) return fmt::format("nothing accepts the job's connections on port {}", *wanted_.tcp);
  if (!wanted_.http.empty()) return fmt::format("no 2xx from {}", wanted_.http);
  if (!wanted_.command.empty()) return fmt::format("`{}` does not succeed", fmt::join(wanted_.command, " "));
  if (!wanted_.log.empty()) return fmt::format("it has not printed `{}`", wanted_.log);
  return {};
}

Result<pid_t> Readiness::start_probe() {
  if (wanted_.tcp || !wanted_.http.empty()) {
    SW_TRY(HelperChild child, start_helper(parts_.identity, {}, [this]() -> Result<std::string> {
             if (wanted_.tcp) {
               SW_CHECK(connect_to(own_address(), *wanted_.tcp));
               return std::string();
             }
             const auto target = model::http_target(wanted_.http);
             if (!target) return fail(ErrorKind::invalid, "not an address of the form http://HOST:PORT/PATH");
             SW_CHECK(ask_http(*target));
             return std::string();
           }));
    return child.pid;  // how it ended says all
  }
  StepCommand command = parts_.probe;
  command.argv = wanted_.command;
  SW_TRY(command_, start_step(command, parts_.group));
  return command_.pid;
}

void Readiness::probe() {
  timer_ = Poller::kNone;
  if (!wanted_.tcp && wanted_.http.empty() && wanted_.command.empty()) return;  // only its output is waited for
  const auto pid = start_probe();
  if (!pid) return again();
  probing_ = *pid;
  parts_.children.expect(*pid, [this](const ChildEnd& end) { on_probe_end(end); });
}

void Readiness::on_probe_end(const ChildEnd& end) {
  probing_ = -1;
  command_ = {};
  if (done_) return;
  if (end.exit_code != 0) return again();
  if (wanted_.tcp) {
    wanted_.tcp.reset();
  } else if (!wanted_.http.empty()) {
    wanted_.http.clear();
  } else {
    wanted_.command.clear();
  }
  check();
  if (!done_) probe();
}

void Readiness::again() {
  timer_ = parts_.poller.at(os::Clock::now() + pause_, [this] { probe(); });
  pause_ = std::min(kMostPause, pause_ * 3 / 2);
}

}  // namespace slipway::init
