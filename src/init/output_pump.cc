#include "init/output_pump.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace slipway::init {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kReadBytes = 1U << 20U;

/// How long a stream that brought so little rests. Short enough for its pipe (1 MiB) not to fill up meanwhile, unless
/// the program suddenly prints at more than 100 MB/s.
constexpr os::Clock::duration rest_after(std::size_t bytes) {
  if (bytes < 4096) return 10ms;
  if (bytes < (64U << 10U)) return 1ms;
  return 0ms;
}

std::size_t waiting_in(const os::Fd& pipe) {
  int bytes = 0;
  (void)::ioctl(pipe.get(), FIONREAD, &bytes);  // on a pipe it cannot fail
  return static_cast<std::size_t>(std::max(bytes, 0));
}

}  // namespace

OutputPump::OutputPump(Poller& poller, RecordKeeper& records)
    : poller_(poller),
      records_(records),
      last_output_(os::Clock::now()),
      buffer_(std::make_unique_for_overwrite<char[]>(kReadBytes)) {}

OutputPump::~OutputPump() {
  while (!pipes_.empty()) close(pipes_.begin()->first);
}

std::uint64_t OutputPump::add(std::uint16_t step, journal::Stream stream, os::Fd pipe, Origin origin) {
  const std::uint64_t id = ++last_id_;
  const int fd = pipe.get();
  pipes_.emplace(id, Pipe{step, stream, origin, std::move(pipe), secrets::MaskingStream(records_.secrets())});
  pipes_.at(id).watch = poller_.watch(fd, POLLIN, [this, id] { on_ready(id); });
  last_outputs_[step] = last_output_ = os::Clock::now();
  return id;
}

void OutputPump::finish_stream(std::uint64_t id) {
  const auto found = pipes_.find(id);
  if (found == pipes_.end()) return;
  std::size_t got = 0;
  while (read_once(found->second, kReadBytes, got) == More::maybe) {
  }
  close(id);
}

OutputPump::More OutputPump::read_once(Pipe& pipe, std::size_t most, std::size_t& got) {
  got = 0;
  const ssize_t read = ::read(pipe.fd.get(), buffer_.get(), std::min(most, kReadBytes));
  if (read < 0 && errno == EINTR) return More::maybe;
  if (read < 0) return errno == EAGAIN ? More::no : More::ended;
  if (read == 0) return More::ended;
  got = static_cast<std::size_t>(read);
  masked_.clear();
  take(pipe, std::string_view(buffer_.get(), got));
  record(pipe);
  last_outputs_[pipe.step] = last_output_ = os::Clock::now();
  return More::maybe;
}

void OutputPump::take(Pipe& pipe, std::string_view bytes) {
  const auto mask = [&](std::string_view text) { pipe.masking.feed(text, masked_); };
  if (pipe.origin == Origin::source) return mask(bytes);
  pipe.commands.feed(bytes, mask, [&](std::string_view line) {
    if (on_command_) on_command_(pipe.step, pipe.stream, line);
  });
}

void OutputPump::record(const Pipe& pipe) {
  if (masked_.empty()) return;
  records_.output(pipe.step, pipe.stream, masked_, pipe.origin == Origin::source ? journal::kFromSource : 0);
  if (pipe.drained) late_[pipe.step] = true;
  if (on_text_) on_text_(masked_);
}

void OutputPump::on_ready(std::uint64_t id) {
  Pipe& pipe = pipes_.at(id);
  // What came to the step's other stream while that rested came first: an error stands behind what led to it.
  for (auto& [other, sibling] : pipes_) {
    if (other != id && sibling.step == pipe.step && sibling.rest != Poller::kNone) take_waiting(sibling);
  }
  std::size_t got = 0;
  if (read_once(pipe, kReadBytes, got) == More::ended) {
    close(id);
    return;
  }
  const auto rest = rest_after(got);
  if (rest == 0ms || got == 0) return;
  poller_.set_events(pipe.watch, 0);
  pipe.rest = poller_.at(os::Clock::now() + rest, [this, id] {
    Pipe& rested = pipes_.at(id);
    rested.rest = Poller::kNone;
    poller_.set_events(rested.watch, POLLIN);
  });
}

void OutputPump::close(std::uint64_t id) {
  const auto found = pipes_.find(id);
  if (found == pipes_.end()) return;
  Pipe& pipe = found->second;
  masked_.clear();
  pipe.commands.finish([&](std::string_view text) { pipe.masking.feed(text, masked_); },
                       [&](std::string_view line) {
                         if (on_command_) on_command_(pipe.step, pipe.stream, line);
                       });
  pipe.masking.finish(masked_);
  record(pipe);
  poller_.unwatch(pipe.watch);
  poller_.cancel(pipe.rest);
  pipes_.erase(found);
}

void OutputPump::take_waiting(Pipe& pipe) {
  std::size_t left = waiting_in(pipe.fd), got = 0;
  while (left > 0 && read_once(pipe, left, got) == More::maybe) left -= got;
}

void OutputPump::catch_up(std::uint16_t step) {
  for (auto& [id, pipe] : pipes_) {
    if (pipe.step == step) take_waiting(pipe);
  }
}

void OutputPump::drain(std::uint16_t step) {
  std::vector<std::uint64_t> ended;
  for (auto& [id, pipe] : pipes_) {
    if (pipe.step != step) continue;
    std::size_t left = waiting_in(pipe.fd);
    // One read more than that: it tells an ended stream from an open one.
    for (More more = More::maybe; more == More::maybe;) {
      std::size_t got = 0;
      more = read_once(pipe, std::max<std::size_t>(left, 1), got);
      if (more == More::ended) ended.push_back(id);
      left -= std::min(left, got);
      if (left == 0 && got > 0 && waiting_in(pipe.fd) > 0) break;  // a child writes on
    }
    pipe.drained = true;
  }
  for (const std::uint64_t id : ended) close(id);
}

void OutputPump::finish() {
  while (!pipes_.empty()) finish_stream(pipes_.begin()->first);
}

os::Deadline OutputPump::last_output(std::uint16_t step) const {
  const auto found = last_outputs_.find(step);
  return found == last_outputs_.end() ? last_output_ : found->second;
}

std::vector<std::uint16_t> OutputPump::take_late_steps() {
  std::vector<std::uint16_t> steps;
  for (const auto& [step, late] : std::exchange(late_, {})) steps.push_back(step);
  return steps;
}

}  // namespace slipway::init
