#include "worker/siblings.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "os/message_socket.h"
#include "os/wait.h"
#include "worker/error_outcome.h"

namespace slipway::worker {

using namespace std::chrono_literals;

namespace {

constexpr auto kStartLimit = 60s;
constexpr auto kSendLimit = 10s;
constexpr auto kEndLimit = 10s;
constexpr auto kOverrun = 5s;  // how late a sibling's init may be with ending it
constexpr std::size_t kFds = 2;

wire::Ended ended_by(const Error& error) { return {outcome_of(error.kind), 0, error.what, 0, 0}; }

}  // namespace

Result<std::unique_ptr<Siblings>> Siblings::make(sandbox::SandboxBackend& sandboxes, Log& log, SiblingBase base) {
  os::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno(errno, "eventfd");
  return std::unique_ptr<Siblings>(new Siblings(sandboxes, log, std::move(base), std::move(wake)));
}

Siblings::Siblings(sandbox::SandboxBackend& sandboxes, Log& log, SiblingBase base, os::Fd wake)
    : sandboxes_(sandboxes), log_(log), base_(std::move(base)), wake_(std::move(wake)) {}

Siblings::~Siblings() {
  for (auto& [id, running] : running_) running.control->cancel({wire::Cancel::Why::by_user, true, {}});
  running_.clear();
}

Result<void> Siblings::start(std::uint64_t id, wire::SandboxRequest request, std::vector<os::Fd> fds) {
  if (fds.size() != kFds) return fail(ErrorKind::invalid, "a request for a sandbox brings two descriptors");
  if (request.step >= base_.job.steps.size()) return fail(ErrorKind::invalid, "no such step");
  if (running_.contains(id) || std::ranges::find(waiting_, id, &Order::id) != waiting_.end()) {
    return fail(ErrorKind::invalid, "there is a request of this number already");
  }
  if (running_.size() >= kAtOnce && waiting_.size() >= kMostWaiting) {
    return fail(ErrorKind::exhausted, "too many sandboxes wait beside this job");
  }
  note_touched(request);
  Order order{id, std::move(request), std::move(fds)};
  if (running_.size() < kAtOnce) return begin(std::move(order));
  waiting_.push_back(std::move(order));
  return {};
}

void Siblings::note_touched(const wire::SandboxRequest& request) {
  touched_.insert(request.shares.begin(), request.shares.end());
  if (!request.outputs.empty()) touched_.insert(base_.job.workspace + std::string(wire::kFromSource));
  if (touched_.size() > kMostTouched) touched_ = {base_.job.workspace};
}

Result<void> Siblings::begin(Order order) {
  SW_TRY(AttemptControl made, AttemptControl::make());
  Running& running = running_[order.id];
  running.control = std::make_unique<AttemptControl>(std::move(made));
  const std::uint64_t id = order.id;
  try {
    running.thread = std::jthread([this, control = running.control.get(), kept = std::move(order)]() mutable {
      carry_out(std::move(kept), *control);
    });
  } catch (const std::exception& error) {
    running_.erase(id);
    return fail(ErrorKind::exhausted, std::string("starting a thread: ") + error.what());
  }
  return {};
}

void Siblings::stop(const wire::StopSandbox& stop) {
  const auto waiting = std::ranges::find(waiting_, stop.id, &Order::id);
  if (waiting != waiting_.end()) {
    waiting_.erase(waiting);
    return give({stop.id, {ended_by({ErrorKind::cancelled, "cancelled before it began"}), {}, {}}, {}});
  }
  const auto found = running_.find(stop.id);
  if (found != running_.end()) found->second.control->cancel({wire::Cancel::Why::by_user, stop.at_once, {}});
}

std::vector<Siblings::Answer> Siblings::take_answers() {
  std::uint64_t count = 0;
  (void)!::read(wake_.get(), &count, sizeof count);  // nothing there: nothing to take
  std::vector<Answer> answers = ended_.with([](std::vector<Answer>& ended) { return std::exchange(ended, {}); });
  for (const Answer& answer : answers) running_.erase(answer.id);  // its thread is at its end
  while (!waiting_.empty() && running_.size() < kAtOnce) {
    const std::uint64_t id = waiting_.front().id;
    Order order = std::move(waiting_.front());
    waiting_.pop_front();
    if (auto begun = begin(std::move(order)); !begun) answers.push_back({id, {ended_by(begun.error()), {}, {}}, {}});
  }
  return answers;
}

void Siblings::carry_out(Order order, AttemptControl& control) {
  Answer answer{order.id, {}, {}};
  try {
    answer = run(std::move(order), control);
  } catch (const std::exception& problem) {  // a thread's top frame
    answer.reply.end = ended_by({ErrorKind::internal, problem.what()});
  }
  give(std::move(answer));
}

void Siblings::give(Answer answer) {
  ended_.with([&](std::vector<Answer>& ended) { ended.push_back(std::move(answer)); });
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);  // it is full only when it is readable anyhow
}

wire::Orders Siblings::orders_for(const wire::SandboxRequest& request) const {
  const model::JobSpec& job = base_.job;
  const model::StepSpec& asked = job.steps.at(request.step);
  wire::Orders orders;
  orders.sibling = true;
  orders.job.run = job.run;
  orders.job.job = job.job;
  orders.job.attempt = job.attempt;
  orders.job.workspace = job.workspace;
  orders.job.grace = job.grace;
  orders.job.env = base_.env;
  model::StepSpec& step = orders.job.steps.emplace_back();
  step.name = asked.name;
  if (request.argv.empty()) {
    // A step of source: what its author declared for it. Its times are kept by the job's init.
    step.action = asked.action;
    step.shell = asked.shell;
    step.working_dir = asked.working_dir;
    orders.job.env.insert(orders.job.env.end(), job.env.begin(), job.env.end());
    step.env = asked.env;
  } else {
    step.action = model::Argv{request.argv};
    step.working_dir = request.working_dir;
  }
  return orders;
}

void Siblings::remove(const SandboxId& id) {
  const auto gone = sandboxes_.destroy(id, os::within(kEndLimit));
  if (gone) return;
  log_.write(LogLevel::error, "sandbox_not_destroyed", {{"sandbox", id.value}, {"error", gone.error().what}});
}

Siblings::Answer Siblings::run(Order order, AttemptControl& control) {
  Answer answer{order.id, {}, {}};
  const auto failed = [&](const Error& error) {
    answer.reply.end = ended_by(error);
    return std::move(answer);
  };
  sandbox::SandboxSpec spec = base_.spec;
  spec.id = SandboxId(fmt::format("{}-s{}", base_.job.attempt.value, order.id));
  spec.beside->shares = order.request.shares;
  // The sandbox may exist from here on: it is gone before the answer is given.
  const ScopeExit remove_at_end([&] { remove(spec.id); });
  auto started = sandboxes_.start(spec, os::within(kStartLimit, control.stopping()));
  if (!started) return failed(started.error());
  const std::vector<std::string> outputs = order.request.outputs;
  auto end = talk(std::move(started->leash), order, control);
  order.fds.clear();
  if (!end) return failed(end.error());
  // Only when its last process is gone are its files read.
  if (const auto gone = sandboxes_.wait(spec.id, os::within(kEndLimit)); !gone) return failed(gone.error());
  answer.reply.end = *std::move(end);
  take_files(spec.id, outputs, answer);
  return answer;
}

Result<wire::Ended> Siblings::talk(os::Fd leash_fd, Order& order, AttemptControl& control) {
  os::MessageSocket leash(std::move(leash_fd));
  const std::vector<int> fds = {order.fds[0].get(), order.fds[1].get()};
  SW_CHECK(leash.send(wire::encode(wire::ToInit(orders_for(order.request))), fds, os::within(kSendLimit)));
  order.fds.clear();  // the copies that are left end with the sandbox
  os::Deadline deadline = os::Deadline::max();
  for (;;) {
    const int waited[] = {leash.fd(), control.wake_fd()};
    auto ready = os::wait_any_readable(waited, {{}, deadline});
    if (!ready && ready.error().kind == ErrorKind::timeout) {
      return fail(ErrorKind::cancelled, "it did not end within its grace");
    }
    if (!ready) return std::unexpected(ready.error());
    for (const std::size_t index : *ready) {
      if (index == 1) {
        const std::optional<wire::Cancel> cancel = control.take();
        if (!cancel) continue;
        deadline = std::min(deadline, os::Clock::now() + (cancel->at_once ? Duration(0) : base_.job.grace) + kOverrun);
        SW_CHECK(leash.send(wire::encode(wire::ToInit(*cancel)), {}, os::within(kSendLimit)));
        continue;
      }
      auto message = leash.receive(os::within(kSendLimit));
      if (!message) return fail(ErrorKind::unavailable, "its slipway-init died");
      SW_TRY(const wire::ToOwner said, wire::decode_to_owner(message->text));
      if (const auto* end = std::get_if<wire::Ended>(&said)) return *end;
    }
  }
}

void Siblings::take_files(const SandboxId& id, const std::vector<std::string>& names, Answer& answer) {
  for (const std::string& name : names) {
    auto file = sandboxes_.open_source_file(id, name);
    if (!file) {
      answer.reply.refused.push_back(fmt::format("output {}: {}", name, file.error().what));
      continue;
    }
    answer.reply.outputs.push_back(name);
    answer.files.push_back(std::move(*file));
  }
}

}  // namespace slipway::worker
