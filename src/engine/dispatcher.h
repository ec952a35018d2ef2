#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/log.h"
#include "engine/executor.h"
#include "engine/triggers.h"
#include "model/notices.h"
#include "model/run.h"
#include "store/store.h"

namespace slipway::engine {

/// A run as the planner made it, and what the store keeps beside it.
struct Submission {
  model::Run run;
  std::string project;
  std::string options_json;
  std::vector<std::string> secret_names;
};

struct RunOutcome {
  RunId run;
  std::int64_t number = 0;
  model::Outcome outcome = model::Outcome::succeeded;
  int exit_code = 0;
  std::string reason;
};

/// Cancels: `graceful` lets init's grace and `always` jobs pass, `at_once` does not.
struct StopRequests {
  std::stop_token graceful, at_once;
};

/// Owns every live run and is the only writer of the store: one thread drains commands, lets the model decide, commits,
/// and only then acts on the executor and tells the listener.
///
/// Any thread may call. A store that stays broken ends all runs as infra_failed.
class Dispatcher final : public Reports {
 public:
  struct Options {
    std::uint32_t slots = 1;  ///< attempts alive at a time, of all runs; at least 1
    std::string owner;        ///< store::Owner::id()
    /// Where concurrency groups are shared with other processes; empty: they hold within this one.
    std::filesystem::path groups_dir{};
  };

  /// All references outlive the dispatcher. `listener` is called on the dispatcher's thread.
  Dispatcher(store::Store& store, Executor& executor, TriggerReader& triggers, model::Listener& listener, Log& log,
             Options options);
  /// Cancels what still runs at once, waits for the ends of its attempts, then for the thread.
  ~Dispatcher() override;
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Hands a run over; it begins as soon as slots and its concurrency group allow. Its end is told to the listener
  /// (RunFinished) and to `wait_idle`. Errors: `cancelled` when the dispatcher is closing.
  Result<void> submit(Submission submission);
  Result<void> cancel(const RunId& run, model::CancelRequested request);

  /// Submits all, and returns when all have ended: in the order given. The stops cancel all of them.
  Result<std::vector<RunOutcome>> run_to_end(std::vector<Submission> submissions, const StopRequests& stops);

  // Reports
  void began(AttemptBegan report) override;
  void advanced(const AttemptAdvanced& report) override;
  void asks(AttemptAsks report) override;
  void ended(model::AttemptReport report) override;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

/// Of several runs the outcome that `slipway run` ends with.
RunOutcome worst_of(const std::vector<RunOutcome>& outcomes);

}  // namespace slipway::engine
