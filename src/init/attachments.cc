#include "init/attachments.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/text.h"
#include "init/command_end.h"
#include "init/environment.h"
#include "os/files.h"

namespace slipway::init {

namespace {

using namespace std::chrono_literals;

constexpr auto kAfterHangUp = 1s;  // what it may still do

/// The nicest shell that the sandbox has.
Result<std::string> find_shell(std::string_view path) {
  for (const std::string_view name : {"bash", "sh", "ash"}) {
    for (const std::string_view directory : split(path, ':')) {
      std::string program = fmt::format("{}/{}", directory, name);
      if (::access(program.c_str(), X_OK) == 0) return program;
    }
  }
  return fail(ErrorKind::not_found, "this sandbox has no shell: say what to run, behind `--`");
}

void put(std::vector<std::string>& environment, const std::string& name, const std::string& value) {
  std::erase_if(environment, [&](const std::string& entry) { return entry.starts_with(name + "="); });
  environment.push_back(name + "=" + value);
}

}  // namespace

void Attachments::open(const wire::Attach& visit) {
  Ends ends;
  auto step = try_open(visit, ends);
  wire::Attached answer{visit.id, step ? "" : step.error().what, step ? *step : ""};
  std::vector<int> fds;
  if (step) {
    for (const os::Fd& fd : ends.outside) fds.push_back(fd.get());
  }
  parts_.owner.send(answer, fds);
}

Result<std::string> Attachments::try_open(const wire::Attach& visit, Ends& ends) {
  if (running_.size() >= wire::kMaxAttached) {
    return fail(ErrorKind::exhausted, fmt::format("{} are attached already", running_.size()));
  }
  const std::uint64_t number = opened_++;
  const auto socket = static_cast<std::uint16_t>(kFirstSocket + number % kFirstSocket);
  const std::string socket_name = fmt::format("attach-{}.sock", number % kFirstSocket);
  SW_TRY(Place place, find_place_(socket_name));
  StepCommand& command = place.surroundings;
  command.argv = visit.command.argv;
  if (command.argv.empty()) {
    SW_TRY(const std::string shell, find_shell(value_in(command.environment, "PATH")));
    command.argv = {shell};
    if (visit.command.terminal) command.argv.emplace_back("-i");
    put(command.environment, "SHELL", shell);
  }
  SW_TRY(ends, visit.command.terminal ? make_terminal(visit.command, command.identity) : make_pipes(command.identity));
  if (visit.command.terminal)
    put(command.environment, "TERM", visit.command.term.empty() ? "dumb" : visit.command.term);
  command.has_terminal = visit.command.terminal;
  command.stdin_fd = ends.inside.front().get();
  command.stdout_fd = ends.inside[command.has_terminal ? 0 : 1].get();
  command.stderr_fd = ends.inside[command.has_terminal ? 0 : 2].get();

  Running running;
  running.socket = socket;
  running.step = static_cast<std::uint16_t>(place.step);
  running.id = visit.id;
  running.owner = parts_.owner.owner_number();
  SW_TRY(running.cgroup, parts_.entry.cgroups.create(fmt::format("attach-{}", number)));
  SW_CHECK(parts_.control.listen(socket, parts_.runtime, socket_name, command.identity));
  auto process = start_step(command, running.cgroup);
  if (!process) {
    parts_.control.close(socket);
    return std::unexpected(process.error());
  }
  running.process = *std::move(process);
  const pid_t pid = running.process.pid;
  running_.emplace(number, std::move(running));
  parts_.children.expect(pid, [this, number](const ChildEnd& ended) { end(number, ended); });
  parts_.records.notice(static_cast<std::uint16_t>(place.step), "attached",
                        "someone attached: " + parts_.records.title_of(join(command.argv, " ")));
  return place.name;
}

Result<Attachments::Ends> Attachments::make_terminal(const wire::AttachCommand& command, const Identity& identity) {
  os::Fd terminal(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));  // as /dev/null for a step
  if (!terminal) return fail_errno(errno, "making a terminal in the sandbox");
  int locked = 0;
  if (::ioctl(terminal.get(), TIOCSPTLCK, &locked) != 0) return fail_errno(errno, "making a terminal in the sandbox");
  // By the terminal itself and not by its name: /dev/pts is the job's to change.
  os::Fd inside(::ioctl(terminal.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!inside) return fail_errno(errno, "making a terminal in the sandbox");
  (void)::fchown(inside.get(), identity.uid,
                 static_cast<gid_t>(-1));  // refused: it works, but cannot be opened by name
  winsize size{};
  size.ws_row = command.rows;
  size.ws_col = command.columns;
  ::ioctl(terminal.get(), TIOCSWINSZ, &size);
  termios modes{};
  if (::tcgetattr(inside.get(), &modes) == 0) {
    modes.c_iflag |= IUTF8;  // so that a whole character is erased
    ::tcsetattr(inside.get(), TCSANOW, &modes);
  }
  Ends ends;
  ends.inside.push_back(std::move(inside));
  ends.outside.push_back(std::move(terminal));
  return ends;
}

Result<Attachments::Ends> Attachments::make_pipes(const Identity& identity) {
  Ends ends;
  SW_TRY(os::Pipe in, os::make_pipe());
  (void)::fchown(in.read.get(), identity.uid, static_cast<gid_t>(-1));  // refused: as for output
  ends.inside.push_back(std::move(in.read));
  ends.outside.push_back(std::move(in.write));
  for (int i = 0; i < 2; ++i) {
    SW_TRY(os::Pipe out, os::make_pipe());
    (void)::fchown(out.write.get(), identity.uid, static_cast<gid_t>(-1));
    ends.inside.push_back(std::move(out.write));
    ends.outside.push_back(std::move(out.read));
  }
  return ends;
}

void Attachments::close(std::uint64_t id) {
  const auto found = std::ranges::find_if(running_, [&](const auto& one) {
    return one.second.id == id && one.second.owner == parts_.owner.owner_number();
  });
  if (found != running_.end()) hang_up(found->first, "the terminal was closed");
}

void Attachments::close_all(const std::string& reason) {
  for (const auto& [number, running] : running_) hang_up(number, reason);
}

void Attachments::hang_up(std::uint64_t number, const std::string& reason) {
  Running& running = running_.at(number);
  if (running.reason.empty()) running.reason = reason;
  if (running.kill != Poller::kNone) return;
  ::kill(-running.process.pid, SIGHUP);
  ::kill(-running.process.pid, SIGCONT);
  running.kill = parts_.poller.at(os::Clock::now() + kAfterHangUp, [this, number] {
    ::kill(-running_.at(number).process.pid, SIGKILL);
    ::kill(running_.at(number).process.pid, SIGKILL);
  });
}

void Attachments::end(std::uint64_t number, const ChildEnd& ended) {
  const auto found = running_.find(number);
  Running running = std::move(found->second);
  running_.erase(found);
  parts_.poller.cancel(running.kill);
  parts_.control.close(running.socket);
  (void)running.cgroup.remove();  // what it left in the background stays; the host removes the group at the latest
  const CommandEnd how = end_of(ended.exit_code, start_failure(running.process), 0);
  if (how.not_started && running.reason.empty()) running.reason = how.reason;
  parts_.records.notice(running.step, "detached", fmt::format("what was attached has ended: exit {}", ended.exit_code));
  if (running.owner != parts_.owner.owner_number()) return;  // another owner knows nothing of it
  parts_.owner.send(wire::AttachEnded{running.id, how.not_started ? how.exit_code : ended.exit_code, running.reason});
}

std::uint16_t Attachments::step_of(std::uint16_t socket) const {
  const auto found = std::ranges::find_if(running_, [&](const auto& one) { return one.second.socket == socket; });
  return found == running_.end() ? journal::kNoStep : found->second.step;
}

}  // namespace slipway::init
