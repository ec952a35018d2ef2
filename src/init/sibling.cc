#include "init/sibling.h"

#include <signal.h>

#include "init/children.h"
#include "init/command_end.h"
#include "init/environment.h"
#include "init/own_directory.h"
#include "init/step_process.h"
#include "init/step_words.h"

namespace slipway::init {

namespace {

constexpr std::size_t kFds = 2;

class Sibling {
 public:
  Sibling(Entry entry, Poller& poller, OwnerLink& owner, OwnerLink::Received received)
      : entry_(std::move(entry)),
        poller_(poller),
        owner_(owner),
        orders_(std::move(received.orders)),
        fds_(std::move(received.fds)) {}

  int run() {
    owner_.attach({[this](const wire::Cancel& cancel) { stop(cancel); }, [this] { over_ = true; }});
    owner_.send(wire::Running{});
    if (const auto started = start(); !started) {
      over(end_of(started.error()));
    }
    while (!over_) poller_.turn();
    // What the command left running ends with this process: nothing is waited for, nobody can miss its output.
    owner_.send(end_);
    return 0;
  }

 private:
  Result<void> start() {
    if (fds_.size() < kFds || orders_.job.steps.size() != 1) return fail(ErrorKind::internal, "the orders are broken");
    const model::StepSpec& step = orders_.job.steps.front();
    SW_TRY(children_, Children::make(poller_));
    SW_TRY(const OwnDirectory runtime, OwnDirectory::open(entry_.runtime_dir));
    StepCommand command;
    SW_TRY(command.identity, identity_of({}, entry_));
    command.nesting = entry_.nesting;
    command.filter = entry_.filter_calls;
    command.environment = sibling_environment(orders_.job, step, command.identity);
    command.working_dir = working_dir_of(step, entry_.workspace);
    command.stdout_fd = fds_[0].get();
    command.stderr_fd = fds_[1].get();
    command.is_script = std::holds_alternative<model::Script>(step.action);
    SW_TRY(command.argv, argv_of(step, runtime, "command.script"));
    SW_TRY(group_, entry_.cgroups.create("command"));
    SW_TRY(process_, start_step(command, group_));
    fds_.clear();  // the ends that are left are the command's: they close with its last process
    children_->expect(process_.pid, [this](const ChildEnd& end) { on_end(end); });
    return {};
  }

  void stop(const wire::Cancel& cancel) {
    if (over_ || !children_) return;
    if (!std::exchange(forced_, true)) {
      children_->signal_all(SIGTERM);
      children_->signal_all(SIGCONT);
    }
    const Duration grace = cancel.at_once ? Duration(0) : orders_.job.grace;
    poller_.at(os::Clock::now() + grace, [this] { children_->signal_all(SIGKILL); });
  }

  void over(CommandEnd end) {
    over_ = true;
    end_.outcome = end.outcome;
    end_.exit_code = end.exit_code;
    end_.reason = std::move(end.reason);
  }

  void on_end(const ChildEnd& child) {
    const os::CgroupFigures figures = group_.figures();
    end_.cpu_micros = figures.cpu_micros;
    end_.memory_peak_bytes = figures.memory_peak_bytes;
    over(forced_ ? CommandEnd{model::Outcome::cancelled, child.exit_code, "cancelled", false}
                 : end_of(child.exit_code, start_failure(process_), figures.out_of_memory_kills));
  }

  Entry entry_;
  Poller& poller_;
  OwnerLink& owner_;
  wire::Orders orders_;
  std::vector<os::Fd> fds_;
  std::unique_ptr<Children> children_;
  os::StepCgroup group_;
  StepProcess process_;
  wire::Ended end_;
  bool forced_ = false, over_ = false;
};

}  // namespace

int run_sibling(Entry entry, Poller& poller, OwnerLink& owner, OwnerLink::Received received) {
  return Sibling(std::move(entry), poller, owner, std::move(received)).run();
}

}  // namespace slipway::init
