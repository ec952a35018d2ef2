#include "init/step_runner.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/wall_clock.h"
#include "init/secret_files.h"
#include "init/step_words.h"
#include "os/files.h"

namespace slipway::init {

namespace {

using namespace std::chrono_literals;
using journal::RecordType;

constexpr auto kLookAgain = 10ms;  // at what remains of a step that is being ended
// Of a whole job: its report names them all.
constexpr std::size_t kMaxChildren = 1000, kMaxChildrenAtOnce = 64;
constexpr auto kAfterKill = 1s;  // how long what was killed may take to vanish before the job goes on without it

/// The plan's clock: never set back.
Time plan_now() { return Time(std::chrono::duration_cast<Duration>(os::Clock::now().time_since_epoch())); }
os::Deadline deadline_of(Time plan_time) { return os::Deadline(plan_time.time_since_epoch()); }

std::uint64_t micros_of(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000U + static_cast<std::uint64_t>(time.tv_usec);
}

}  // namespace

StepRunner::StepRunner(Parts parts, Events events)
    : parts_(std::move(parts)),
      events_(std::move(events)),
      plan_(parts_.job.steps),
      hooks_(parts_.poller, parts_.runtime, parts_.job, events_.set_variables),
      results_(parts_.job.steps.size()),
      reasons_(parts_.job.steps.size()) {
  for (std::size_t i = 0; i < results_.size(); ++i) results_[i].name = parts_.job.steps[i].name;
}

void StepRunner::start() { advance(); }

void StepRunner::advance() {
  again_ = true;
  if (advancing_) return;  // called from within by a step that could not be started: the loop below goes on
  advancing_ = true;
  while (std::exchange(again_, false)) {
    const model::StepPlan::Decisions decisions = plan_.next(plan_now());
    for (const auto& skipped : decisions.skipped) {
      model::StepResult result = results_[skipped.step];
      result.started = result.finished = wall_now();
      record_end(skipped.step, result, skipped.reason);
    }
    for (const std::size_t index : decisions.start) start_one(index);
    parts_.poller.cancel(wake_);
    wake_ = Poller::kNone;
    if (decisions.wake_at) wake_ = parts_.poller.at(deadline_of(*decisions.wake_at), [this] { advance(); });
  }
  advancing_ = false;
  if (plan_.is_done() && running_.empty() && !std::exchange(done_, true)) {
    parts_.poller.cancel(last_call_);
    events_.done();
  }
}

void StepRunner::start_one(std::size_t index) {
  if (os::Clock::now() >= kill_at_) {
    return finish_unstarted(index, {model::Outcome::cancelled, 0, late_reason_, true});
  }
  const bool ends = kill_at_ != os::Deadline::max();  // what is being stopped is not held
  if (!ends && !let_begin_.contains(index) && breaks_at(wire::Breakpoint::When::before, index)) {
    Hold held;
    held.why = "it has not begun";
    return hold(index, std::move(held));
  }
  current_ = index;
  const auto started = try_start(index);
  if (!started) finish_unstarted(index, end_of(started.error()));
}

Result<void> StepRunner::try_start(std::size_t index) {
  if (parts_.job.steps[index].run_as.kind == model::RunAs::Kind::source) return start_beside(index);
  if (spec(index).phase != model::Phase::steps) return start_hook(index);
  SW_TRY(const StepCommand command, prepare(index));
  return start_process(index, command);
}

Result<void> StepRunner::start_hook(std::size_t index) {
  const model::JobSpec& job = parts_.job;
  const std::string& workspace = parts_.entry.workspace;
  wire::HookContext context{.phase = spec(index).phase,
                            .workspace = workspace,
                            .job_code = model::job_code_directory(job).value_or(""),
                            .event_file = parts_.event_file,
                            .cancelled = plan_.is_cancelled()};
  if (const auto decided = plan_.verdict().step) {
    context.error = fmt::format("step `{}`: {}", results_[*decided].name, reasons_[*decided]);
  }
  for (std::size_t i = 0; i < job.steps.size(); ++i) {
    if (plan_.has_ended(i)) context.steps.push_back({job.steps[i].phase, &results_[i], reasons_[i]});
  }
  SW_TRY(StepCommand command, prepare(index));
  SW_TRY(const os::Fd input, hooks_.equip(static_cast<std::uint16_t>(index), context, command));
  return start_process(index, command);
}

Result<void> StepRunner::start_process(std::size_t index, const StepCommand& command) {
  const auto number = static_cast<std::uint16_t>(index);
  Running step;
  step.started = wall_now();
  SW_TRY(step.cgroup, parts_.entry.cgroups.create(fmt::format("step-{}-{}", index, tries(index))));
  SW_TRY(step.process, start_step(command, step.cgroup));
  const pid_t pid = step.process.pid;
  record_start(index);
  parts_.output.add(number, journal::Stream::out, std::move(step.process.stdout_pipe));
  parts_.output.add(number, journal::Stream::err, std::move(step.process.stderr_pipe));
  if (step.process.answer_pipe) hooks_.listen(number, std::move(step.process.answer_pipe));
  running_.emplace(index, std::move(step));
  parts_.children.expect(pid, [this, index](const ChildEnd& end) { on_main_end(index, end); });
  watch_times(index);
  events_.border();
  return {};
}

/// Source is started by the owner, in a sandbox of its own.
Result<void> StepRunner::start_beside(std::size_t index) {
  wire::SandboxRequest request;
  request.step = static_cast<std::uint16_t>(index);
  Running step;
  step.started = wall_now();
  record_start(index);
  SW_TRY(step.sibling, parts_.siblings.start(std::move(request), [this, index](const wire::Ended& end) {
    running_.at(index).sibling_end = end;
    on_main_end(index, ChildEnd{end.exit_code, {}});
  }));
  running_.emplace(index, std::move(step));
  watch_times(index);
  events_.border();
  return {};
}

void StepRunner::record_start(std::size_t index) {
  has_begun_ = true;
  events_.begins(index);
  parts_.records.append(RecordType::step_started, static_cast<std::uint16_t>(index),
                        wire::payload::StepStarted{parts_.records.masked(spec(index).name),
                                                   parts_.records.title_of(first_words(spec(index))), tries(index),
                                                   results_[index].parent});
}

std::string StepRunner::socket_of(std::size_t index) { return fmt::format("{}.sock", index); }

Result<StepCommand> StepRunner::surroundings(std::size_t index, const std::string& socket) const {
  const model::StepSpec& step = spec(index);
  const Entry& entry = parts_.entry;
  StepCommand command;
  // Around a step of source is the job that it stands in: its own sandbox is elsewhere.
  const bool is_source = step.run_as.kind == model::RunAs::Kind::source;
  SW_TRY(command.identity, identity_of(is_source ? parts_.job.run_as : step.run_as, entry));
  command.nesting = entry.nesting;
  command.filter = entry.filter_calls;
  const StepPlaces places{entry.workspace, entry.runtime_dir, parts_.runtime.path_of(socket), parts_.event_file,
                          parts_.python};
  command.environment = step_environment(parts_.job, step, command.identity, places, parts_.secrets);
  hooks_.apply(step, command);
  command.working_dir = working_dir_of(step, entry.workspace);
  return command;
}

Result<StepCommand> StepRunner::prepare(std::size_t index) {
  SW_TRY(StepCommand command, surroundings(index));
  SW_CHECK(
      parts_.control.listen(static_cast<std::uint16_t>(index), parts_.runtime, socket_of(index), command.identity));
  SW_CHECK(write_secret_files(spec(index).secrets, parts_.secrets, command.identity, parts_.secret_files));
  command.is_script = std::holds_alternative<model::Script>(spec(index).action);
  SW_TRY(command.argv, argv_of(spec(index), parts_.runtime, fmt::format("{}.script", index)));
  return command;
}

// --- child steps ---

const model::StepSpec& StepRunner::spec(std::size_t index) const {
  return is_child(index) ? children_[index - parts_.job.steps.size()].spec : parts_.job.steps[index];
}

std::size_t StepRunner::root_of(std::size_t index) const {
  while (results_[index].parent) index = *results_[index].parent;
  return index;
}

/// Only those right below it.
std::vector<std::size_t> StepRunner::running_below(std::size_t index) const {
  std::vector<std::size_t> below;
  for (const auto& [other, step] : running_) {
    if (results_[other].parent == index) below.push_back(other);
  }
  return below;
}

Result<std::size_t> StepRunner::run_child(std::size_t parent, wire::control::RunStep request, OnChildEnd on_end) {
  const auto at_once = std::ranges::count_if(running_, [&](const auto& one) { return is_child(one.first); });
  if (static_cast<std::size_t>(at_once) >= kMaxChildrenAtOnce) {
    return fail(ErrorKind::exhausted, fmt::format("a job may run at most {} child steps at once", kMaxChildrenAtOnce));
  }
  if (children_.size() >= kMaxChildren) {
    return fail(ErrorKind::exhausted, fmt::format("a job may run at most {} child steps", kMaxChildren));
  }
  const auto above = running_.find(parent);
  if (above == running_.end() || above->second.main_end || os::Clock::now() >= kill_at_) {
    return fail(ErrorKind::cancelled, "the step is ending");
  }
  const std::size_t index = results_.size();
  model::StepSpec below;
  below.name = request.name;
  below.action = model::Argv{request.argv};
  below.working_dir = request.working_dir;
  below.env = spec(parent).env;
  below.secrets = spec(parent).secrets;
  below.run_as = spec(parent).run_as;
  below.timeout = request.timeout;
  children_.push_back({std::move(below), std::move(on_end)});
  results_.emplace_back().name = request.name;
  results_.back().parent = parent;
  reasons_.emplace_back();
  if (const auto started = start_child(index, std::move(request)); !started) {
    record_start(index);
    finish_unstarted(index, end_of(started.error()));
  }
  return index;
}

Result<void> StepRunner::start_child(std::size_t index, wire::control::RunStep request) {
  SW_TRY(StepCommand command, surroundings(index));
  command.argv = std::move(request.argv);
  const std::string socket = socket_of(index);
  if (request.environment) {
    command.environment = std::move(*request.environment);
    set_variable(command.environment, "SLIPWAY_SOCKET", parts_.runtime.path_of(socket));
    set_variable(command.environment, "SLIPWAY_STEP", request.name);
  }
  SW_CHECK(parts_.control.listen(static_cast<std::uint16_t>(index), parts_.runtime, socket, command.identity));
  return start_process(index, command);
}

void StepRunner::abandon_child(std::size_t index) {
  stop_one(index, model::Outcome::cancelled, "nobody waits for it any more",
           std::min(kill_at_, os::Clock::now() + parts_.job.grace));
}

// --- how long they may take ---

void StepRunner::watch_times(std::size_t index) {
  const model::StepSpec& step_spec = spec(index);
  Running& step = running_.at(index);
  if (step_spec.timeout) {
    step.timeout = parts_.poller.at(os::Clock::now() + *step_spec.timeout, [this, index, limit = *step_spec.timeout] {
      stop_one(index, model::Outcome::timed_out, fmt::format("ran longer than its timeout of {}", to_short_text(limit)),
               os::Clock::now() + parts_.job.grace);
    });
  }
  if (step_spec.no_output_timeout) watch_silence(index, *step_spec.no_output_timeout);
}

/// What those below it print counts for a step too.
os::Deadline StepRunner::last_output(std::size_t index) const {
  os::Deadline last = parts_.output.last_output(static_cast<std::uint16_t>(index));
  for (std::size_t below = parts_.job.steps.size(); below < results_.size(); ++below) {
    if (root_of(below) == index) last = std::max(last, parts_.output.last_output(static_cast<std::uint16_t>(below)));
  }
  return last;
}

void StepRunner::watch_silence(std::size_t index, Duration limit) {
  const os::Deadline due = last_output(index) + limit;
  running_.at(index).silence = parts_.poller.at(due, [this, index, limit] {
    const os::Deadline now = os::Clock::now();
    if (last_output(index) + limit > now) return watch_silence(index, limit);
    stop_one(index, model::Outcome::timed_out, fmt::format("printed nothing for {}", to_short_text(limit)),
             now + parts_.job.grace);
  });
}

void StepRunner::stop(model::Outcome outcome, const std::string& reason, os::Deadline kill_at) {
  // Held before its first step it has nothing to clean up, nor to tell: none of what asks to run when cancelled does.
  if (!has_begun_ && is_held()) kill_at = os::Clock::now();
  kill_at_ = std::min(kill_at_, kill_at);
  if (kill_at <= os::Clock::now()) late_reason_ = reason;  // there is no grace
  plan_.cancel();
  for (const auto& [index, held] : std::exchange(held_, {})) {
    if (held.end) {
      record_end(index, held.result, held.end->reason);
    } else {
      finish_unstarted(index, {outcome, 0, reason, true});
    }
  }
  std::vector<std::size_t> indexes;
  for (const auto& [index, step] : running_) indexes.push_back(index);
  // Steps leave half of the grace to the hooks that an end brings about; of these, those that run may use all of it.
  const os::Deadline now = os::Clock::now();
  const os::Deadline steps_end = plan_.has_last_words() && kill_at_ > now ? now + (kill_at_ - now) / 2 : kill_at_;
  for (const std::size_t index : indexes) {
    const model::Phase phase = spec(root_of(index)).phase;
    if (kill_at_ > now && (phase == model::Phase::on_error || phase == model::Phase::cleanup)) continue;
    stop_one(index, outcome, reason, steps_end);
  }
  // What runs because it asks to run when cancelled may use the grace period, and no more.
  parts_.poller.cancel(last_call_);
  last_call_ = parts_.poller.at(kill_at_, [this] {
    std::vector<std::size_t> late;
    for (const auto& [index, step] : running_) late.push_back(index);
    for (const std::size_t index : late) {
      stop_one(index, model::Outcome::cancelled, late_reason_, os::Clock::now());
    }
  });
  advance();
}

void StepRunner::stop_one(std::size_t index, model::Outcome outcome, const std::string& reason, os::Deadline kill_at) {
  const auto found = running_.find(index);
  if (found == running_.end()) return;
  Running& step = found->second;
  const bool first = !step.forced;
  if (first && !step.main_end) {
    step.forced = outcome;
    step.forced_reason = reason;
  }
  if (!first && kill_at >= step.kill_at) return;
  step.kill_at = std::min(step.kill_at, kill_at);
  if (first) signal_members(step, SIGTERM);
  for (const std::size_t below : running_below(index)) {
    stop_one(below, model::Outcome::cancelled, "the step that it belongs to was ended", kill_at);
  }
  parts_.poller.cancel(step.kill);
  step.kill = parts_.poller.at(step.kill_at, [this, index] {
    Running& late = running_.at(index);
    late.kill = Poller::kNone;
    signal_members(late, SIGKILL);
    if (late.main_end) settle(index);
  });
}

/// Everything that belongs to the step: its process group, and its control group for what left that. Is there any?
bool StepRunner::signal_members(const Running& step, int signal) const {
  if (step.sibling != 0) {
    if (step.main_end) return false;
    if (signal != 0) parts_.siblings.stop(step.sibling, signal == SIGKILL);
    return true;
  }
  bool any = ::kill(-step.process.pid, signal) == 0;
  // One that has only just been forked has no group of its own yet.
  if (!any && !step.main_end) any = ::kill(step.process.pid, signal) == 0;
  for (const pid_t pid : step.cgroup.processes()) any = ::kill(pid, signal) == 0 || any;
  return any;
}

void StepRunner::on_main_end(std::size_t index, const ChildEnd& end) {
  Running& step = running_.at(index);
  step.main_end = end;
  parts_.poller.cancel(step.timeout);
  parts_.poller.cancel(step.silence);
  step.timeout = step.silence = Poller::kNone;
  if (spec(index).end_children && !step.forced && signal_members(step, SIGTERM)) {
    step.kill_at = std::min(kill_at_, os::Clock::now() + parts_.job.grace);
    step.kill = parts_.poller.at(step.kill_at, [this, index] {
      running_.at(index).kill = Poller::kNone;
      signal_members(running_.at(index), SIGKILL);
    });
  }
  settle(index);
}

/// A step that was ended from here, or ends its children, has ended when none of it is left.
void StepRunner::settle(std::size_t index) {
  Running& step = running_.at(index);
  const bool takes_all = step.forced || spec(index).end_children;
  parts_.children.reap();
  const auto number = static_cast<std::uint16_t>(index);
  // None outlives it: what is left in the background ends at once, what was stopped with the step has its grace.
  const bool has_siblings = parts_.siblings.any(number);
  if (has_siblings && (!step.forced || os::Clock::now() >= step.kill_at)) parts_.siblings.stop_step(number);
  const std::vector<std::size_t> below = running_below(index);
  for (const std::size_t child : below) {
    stop_one(child, model::Outcome::cancelled, "the step that it belongs to has ended",
             step.forced ? step.kill_at : os::Clock::now());
  }
  const bool has_left = !takes_all || !signal_members(step, 0) || os::Clock::now() > step.kill_at + kAfterKill;
  if (has_left && !has_siblings && below.empty()) return finish(index);
  parts_.poller.at(os::Clock::now() + kLookAgain, [this, index] {
    if (const auto found = running_.find(index); found != running_.end() && found->second.main_end) settle(index);
  });
}

CommandEnd StepRunner::end_of_step(const Running& step, const os::CgroupFigures& figures) {
  const int exit_code = step.main_end->exit_code;
  if (step.forced) return {*step.forced, exit_code, step.forced_reason, false};
  if (step.sibling_end) return {step.sibling_end->outcome, exit_code, step.sibling_end->reason, false};
  return end_of(exit_code, start_failure(step.process), figures.out_of_memory_kills);
}

void StepRunner::finish(std::size_t index) {
  const auto number = static_cast<std::uint16_t>(index);
  Running step = std::move(running_.at(index));
  running_.erase(index);
  parts_.poller.cancel(step.kill);
  parts_.output.drain(number);
  parts_.control.close(number);
  const os::CgroupFigures figures = step.cgroup.figures();
  CommandEnd end = end_of_step(step, figures);
  const auto changed = hooks_.take_answer(number, end.outcome == model::Outcome::succeeded);
  if (!changed) end = {model::Outcome::failed, 1, "its changes are refused: " + changed.error().what, false};
  // Children may live on in it; the host removes it at the latest. On v1 only the group itself knows its kills: one
  // that had some is left for the host to count.
  if (figures.out_of_memory_kills == 0) (void)step.cgroup.remove();

  const rusage& usage = step.main_end->usage;
  constexpr std::uint64_t kBlock = 512;
  model::StepResult result;
  result.name = parts_.records.masked(spec(index).name);
  result.parent = results_[index].parent;
  result.outcome = end.outcome;
  result.exit_code = end.exit_code;
  result.started = step.started;
  result.finished = wall_now();
  result.tries = tries(index);
  result.cpu_micros =
      figures.cpu_micros != 0 ? figures.cpu_micros : micros_of(usage.ru_utime) + micros_of(usage.ru_stime);
  result.memory_peak_bytes =
      figures.memory_peak_bytes != 0 ? figures.memory_peak_bytes : static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  const bool has_io = figures.io_read_bytes != 0 || figures.io_written_bytes != 0;
  result.io_read_bytes = has_io ? figures.io_read_bytes : static_cast<std::uint64_t>(usage.ru_inblock) * kBlock;
  result.io_written_bytes = has_io ? figures.io_written_bytes : static_cast<std::uint64_t>(usage.ru_oublock) * kBlock;
  if (step.sibling_end) {
    result.cpu_micros = step.sibling_end->cpu_micros;
    result.memory_peak_bytes = step.sibling_end->memory_peak_bytes;
  }
  end_or_hold(index, std::move(result), end);
  events_.border();
  advance();
}

void StepRunner::finish_unstarted(std::size_t index, CommandEnd end) {
  parts_.control.close(static_cast<std::uint16_t>(index));
  model::StepResult result = results_[index];
  result.outcome = end.outcome;
  result.exit_code = end.exit_code;
  result.tries = tries(index);
  result.started = result.finished = wall_now();
  end_or_hold(index, std::move(result), end);
  again_ = true;
}

/// Tells the plan (unless it decided itself, by skipping) and the journal.
void StepRunner::record_end(std::size_t index, model::StepResult result, const std::string& reason) {
  const bool will_retry =
      !is_child(index) && plan_.finished(index, result.outcome, plan_now()) == model::StepPlan::After::will_retry;
  write_end(index, std::move(result), reason, will_retry);
}

void StepRunner::write_end(std::size_t index, model::StepResult result, const std::string& reason, bool will_retry) {
  const auto number = static_cast<std::uint16_t>(index);
  parts_.records.end_step_output(number);
  result.name = parts_.records.masked(result.name);  // of one that never started too
  const bool allowed = spec(index).continue_on_error && model::ending_of(result.outcome) == model::Ending::failed;
  results_[index] = result;
  reasons_[index] = parts_.records.masked(reason);
  parts_.records.append(RecordType::step_finished, number,
                        wire::payload::StepFinished{std::move(result), reasons_[index], will_retry, allowed});
  parts_.records.ask_sync();
  if (!is_child(index)) return;
  const OnChildEnd on_end = std::exchange(children_[index - parts_.job.steps.size()].on_end, nullptr);
  if (on_end) on_end(results_[index], reasons_[index]);
}

}  // namespace slipway::init
