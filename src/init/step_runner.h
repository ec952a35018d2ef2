#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "init/children.h"
#include "init/command_end.h"
#include "init/control_server.h"
#include "init/entry.h"
#include "init/environment.h"
#include "init/hooks.h"
#include "init/output_pump.h"
#include "init/record_keeper.h"
#include "init/siblings.h"
#include "init/step_process.h"
#include "model/step_plan.h"

namespace slipway::init {

/// Runs the steps of a job as model::StepPlan says: starts their processes, holds them to their times, ends them, and
/// writes down how they ended. One thread.
class StepRunner {
 public:
  struct Parts {
    Poller& poller;
    Children& children;
    OutputPump& output;
    RecordKeeper& records;
    ControlServer& control;
    Siblings& siblings;
    const Entry& entry;
    const OwnDirectory& runtime;       ///< entry.runtime_dir
    const OwnDirectory* secret_files;  ///< null: there are no secrets
    const model::JobSpec& job;
    const std::map<std::string, std::string>& secrets;
    std::string event_file;
    std::string python;  ///< where the Python package is; empty: not here
    const std::vector<wire::Breakpoint>& breaks;
  };
  /// A step at which the job waits for a person: it has not begun, or has ended and the plan was not told yet.
  struct Hold {
    std::optional<CommandEnd> end;  ///< none: it has not begun
    model::StepResult result;
    std::string why;
  };
  struct Events {
    std::function<void()> border;  ///< a step began or ended
    std::function<void()> done;    ///< nothing runs and nothing will; called once
    Hooks::SetVariables set_variables;
    std::function<void(std::size_t, const Hold&)> held;
    std::function<void(std::size_t)> begins;  ///< a try of a step
  };

  StepRunner(Parts parts, Events events);

  void start();
  /// Ends what runs (TERM, KILL at `kill_at`) and starts only what asks to run when cancelled. At `kill_at` that ends
  /// too. A later call may bring `kill_at` forward; what is stopped already keeps its outcome.
  void stop(model::Outcome outcome, const std::string& reason, os::Deadline kill_at);

  /// Runs a command as a child of step `parent` (wire/control.h, RunStep): a step of its own behind those of the job,
  /// which ends with `parent` at the latest. `on_end` is called once, later or within. Returns its index.
  /// `exhausted`: too many; `cancelled`: nothing starts any more.
  using OnChildEnd = std::function<void(const model::StepResult&, const std::string& reason)>;
  Result<std::size_t> run_child(std::size_t parent, wire::control::RunStep request, OnChildEnd on_end);
  /// Whoever waited for child step `index` has gone: it ends. One that has ended is fine.
  void abandon_child(std::size_t index);
  /// The step of the job that `index` is, or is below.
  std::size_t root_of(std::size_t index) const;
  /// Of every step, child steps included.
  const model::StepSpec& spec(std::size_t index) const;

  /// What step `index` finds around it: a command with no argv yet. `socket`: the name of its control socket.
  Result<StepCommand> surroundings(std::size_t index, const std::string& socket) const;
  Result<StepCommand> surroundings(std::size_t index) const { return surroundings(index, socket_of(index)); }

  bool is_held() const { return !held_.empty(); }
  const std::map<std::size_t, Hold>& held() const { return held_; }
  /// Has something that is held ended, so that it can run again?
  bool can_retry() const;
  /// Lets all that is held go on, or runs again what of it has ended. Not for `abort`, which is `stop`.
  void resume(wire::Resume how);
  /// Where a person looks first: the step held last, else the one that began last.
  std::size_t current() const { return current_; }

  const std::vector<model::StepResult>& results() const { return results_; }
  model::StepPlan::Verdict verdict() const { return plan_.verdict(); }
  /// Why step `index` is not `succeeded`.
  const std::string& reason(std::size_t index) const { return reasons_[index]; }

 private:
  struct Running {
    StepProcess process;
    os::StepCgroup cgroup;
    Time started{};
    std::uint64_t sibling = 0;  // a step of source: what Siblings knows it by. 0: it runs here
    std::optional<wire::Ended> sibling_end;
    std::optional<ChildEnd> main_end;      // its main process is gone; the rest of it is being waited for
    std::optional<model::Outcome> forced;  // it was ended from here, and that is why
    std::string forced_reason;
    os::Deadline kill_at = os::Deadline::max();
    Poller::Token timeout = Poller::kNone, silence = Poller::kNone, kill = Poller::kNone;
  };

  /// A step below another: what is known of it beyond its result.
  struct Child {
    model::StepSpec spec;
    OnChildEnd on_end;
  };

  bool is_child(std::size_t index) const { return index >= parts_.job.steps.size(); }
  std::vector<std::size_t> running_below(std::size_t index) const;
  os::Deadline last_output(std::size_t index) const;
  int tries(std::size_t index) const { return is_child(index) ? 1 : plan_.tries(index); }
  Result<void> start_child(std::size_t index, wire::control::RunStep request);
  Result<void> start_process(std::size_t index, const StepCommand& command);

  void advance();
  void start_one(std::size_t index);
  Result<void> try_start(std::size_t index);
  Result<void> start_hook(std::size_t index);
  Result<void> start_beside(std::size_t index);
  void record_start(std::size_t index);
  static std::string socket_of(std::size_t index);
  Result<StepCommand> prepare(std::size_t index);
  void watch_times(std::size_t index);
  void watch_silence(std::size_t index, Duration limit);
  void stop_one(std::size_t index, model::Outcome outcome, const std::string& reason, os::Deadline kill_at);
  void on_main_end(std::size_t index, const ChildEnd& end);
  void settle(std::size_t index);
  bool signal_members(const Running& step, int signal) const;
  static CommandEnd end_of_step(const Running& step, const os::CgroupFigures& figures);
  void finish(std::size_t index);
  void finish_unstarted(std::size_t index, CommandEnd end);
  bool breaks_at(wire::Breakpoint::When when, std::size_t index) const;
  bool breaks_after(std::size_t index, model::Outcome outcome) const;
  void hold(std::size_t index, Hold hold);
  void let_go(std::size_t index, const Hold& hold);
  void run_again(std::size_t index, const Hold& hold);
  void end_or_hold(std::size_t index, model::StepResult result, const CommandEnd& end);
  void record_end(std::size_t index, model::StepResult result, const std::string& reason);
  void write_end(std::size_t index, model::StepResult result, const std::string& reason, bool will_retry);

  Parts parts_;
  Events events_;
  model::StepPlan plan_;
  Hooks hooks_;
  std::map<std::size_t, Running> running_;
  std::map<std::size_t, Hold> held_;
  std::set<std::size_t> let_begin_;  // were held before they began
  std::size_t current_ = 0;
  bool has_begun_ = false;                  // any step
  std::vector<Child> children_;             // behind the steps of the job
  std::vector<model::StepResult> results_;  // of both
  std::vector<std::string> reasons_;
  Poller::Token wake_ = Poller::kNone, last_call_ = Poller::kNone;
  os::Deadline kill_at_ = os::Deadline::max();
  std::string late_reason_ = "the grace period is over";  // of what would start, or still runs, behind kill_at_
  bool advancing_ = false, again_ = false, done_ = false;
};

}  // namespace slipway::init
