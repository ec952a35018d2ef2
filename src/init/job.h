#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "init/attachments.h"
#include "init/bundles.h"
#include "init/child_steps.h"
#include "init/children.h"
#include "init/control_server.h"
#include "init/entry.h"
#include "init/output_pump.h"
#include "init/own_directory.h"
#include "init/owner_link.h"
#include "init/readiness.h"
#include "init/record_keeper.h"
#include "init/siblings.h"
#include "init/step_requests.h"
#include "init/step_runner.h"

namespace slipway::init {

/// One job, from its orders to the last record of its journal. One thread, one event loop.
///
/// Phases: unpack what comes in · run the steps · end what they left running · gather what goes out · say how it ended.
/// Cancellation, the job's timeouts and the loss of the owner are heard in each of them.
class Job {
 public:
  Job(Entry entry, Poller& poller, OwnerLink& owner, OwnerLink::Received received);

  /// The exit status of init: not 0 when the journal lacks something or its end.
  int run();

 private:
  enum class Phase { unpacking, steps, ending_children, gathering, ended, abandoned };
  struct Forced {
    model::Outcome outcome;
    std::string reason;
  };

  Result<void> set_up();
  Result<void> make_parts();
  std::vector<secrets::Weakness> register_secrets();
  void record_secrets(const std::vector<secrets::Weakness>& weaknesses);
  void begin();
  void loop();
  void after_turn();
  void start_sync();
  void report_progress();

  void on_cancel(const wire::Cancel& cancel);
  void on_owner_lost();
  void stop(model::Outcome outcome, const std::string& reason, Duration grace);
  void on_held(std::size_t step, const StepRunner::Hold& hold);
  void tell_held(std::size_t step, const StepRunner::Hold& hold);
  void on_adopted();
  Result<void> resume(wire::Resume how);
  void end_hold(wire::Resume how);
  Result<Attachments::Place> place_of_visitor(const std::string& socket) const;
  ControlServer::OnGone serve_control(std::uint16_t socket, wire::control::Request request,
                                      const ControlServer::Respond& respond);
  void watch_timeout(Duration left);
  void watch_times();
  void watch_silence();

  bool enter(Phase next);
  void run_steps();
  void watch_readiness();
  void end_children();
  void kill_children();
  void gather();
  void take_workspace_files(const Result<std::string>& text);
  void collect_tests();
  void take_tests(const Result<std::string>& text);
  void collect_bundles();
  std::deque<BundleTask> bundle_tasks();
  void take_variables(const std::string& json);
  bool left_nothing_behind() const;
  void finish();
  model::AttemptReport report() const;
  model::Outcome outcome() const;
  static Forced not_run(const Error& why);
  int fail_early(const Error& why);

  Entry entry_;
  Poller& poller_;
  OwnerLink& owner_;
  wire::Orders orders_;
  std::vector<os::Fd> fds_;
  std::map<std::string, std::string> secrets_;
  Identity identity_;                                   // of the job
  std::optional<OwnDirectory> runtime_, secret_files_;  // opened before any step can touch what leads there
  std::string event_file_;
  Time started_{};

  std::unique_ptr<RecordKeeper> records_;
  std::unique_ptr<Children> children_;
  std::unique_ptr<OutputPump> output_;
  std::unique_ptr<Siblings> siblings_;
  std::unique_ptr<StepRequests> requests_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<Bundles> bundles_;
  std::unique_ptr<StepRunner> steps_;
  std::unique_ptr<ChildSteps> child_steps_;
  std::unique_ptr<Attachments> attachments_;
  os::StepCgroup probe_group_;
  std::unique_ptr<Readiness> readiness_;  // of a service

  std::uint64_t test_records_ = 0;

  // A job that is held: its own timeouts stand still meanwhile.
  Poller::Token hold_limit_ = Poller::kNone;
  std::optional<Duration> timeout_left_;
  os::Deadline timeout_at_{}, quiet_since_{};  // when it fires; from when on silence counts at the earliest

  Phase phase_ = Phase::unpacking;
  std::optional<Forced> forced_;
  bool at_once_ = false;           // it was cancelled without grace
  std::optional<Forced> not_run_;  // why the job could not be run as ordered
  Poller::Token timeout_ = Poller::kNone, kill_ = Poller::kNone, progress_timer_ = Poller::kNone,
                sync_timer_ = Poller::kNone;
  bool at_border_ = false;
  std::uint64_t told_bytes_ = 0, synced_bytes_ = 0;
  os::Deadline told_at_{}, synced_at_{};
};

}  // namespace slipway::init
