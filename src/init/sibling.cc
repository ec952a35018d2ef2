#include "init/sibling.h"

#include <signal.h>

#include "init/children.h"
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
      const bool by_author = started.error().kind == ErrorKind::invalid;
      end_.outcome = by_author ? model::Outcome::failed : model::Outcome::infra_failed;
      end_.reason = started.error().what;
      over_ = true;
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

  void on_end(const ChildEnd& child) {
    over_ = true;
    const os::CgroupFigures figures = group_.figures();
    end_.exit_code = child.exit_code;
    end_.cpu_micros = figures.cpu_micros;
    end_.memory_peak_bytes = figures.memory_peak_bytes;
    if (forced_) {
      end_.outcome = model::Outcome::cancelled;
      end_.reason = "cancelled";
      return;
    }
    end_.outcome = model::Outcome::failed;
    if (const auto failure = start_failure(process_)) {
      end_.reason = explain(*failure);
    } else if (child.exit_code == 0) {
      end_.outcome = model::Outcome::succeeded;
    } else if (figures.out_of_memory_kills > 0) {
      end_.outcome = model::Outcome::out_of_memory;
      end_.reason = "the kernel ended it: it used more memory than the job may have";
    } else {
      end_.reason = explain_exit(child.exit_code);
    }
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
