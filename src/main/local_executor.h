#pragma once

#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "engine/executor.h"
#include "os/guarded.h"
#include "os/queue.h"
#include "worker/attempt_driver.h"

namespace slipway::program {

/// Carries attempts out in this process: one thread a slot, each driving one attempt at a time.
/// This is the direct link between engine and worker that `slipway run` uses.
class LocalExecutor final : public engine::Executor {
 public:
  /// Makes what an attempt needs of the process, for one attempt.
  using MakeHost = std::function<std::unique_ptr<worker::AttemptHost>(engine::Reports&)>;

  /// Whether the attempt may be made here at all; an error ends it as rejected.
  using Allow = std::function<Result<void>(const model::JobSpec&)>;

  struct Parts {
    sandbox::SandboxBackend& sandboxes;
    worker::Artifacts& artifacts;
    worker::Caches& caches;
    Log& log;
    std::filesystem::path runs_dir;
    MakeHost make_host;
    Allow allow;
    worker::AttemptControl::Breaks breaks;
  };

  LocalExecutor(Parts parts, std::uint32_t slots);
  /// Waits for the attempts under way; stop them first.
  ~LocalExecutor() override;
  LocalExecutor(const LocalExecutor&) = delete;
  LocalExecutor& operator=(const LocalExecutor&) = delete;

  void start(model::JobSpec spec, engine::Reports& reports) override;
  void stop(const AttemptId& attempt, model::StopWhy why, model::Promptness promptness) override;

  // --- any thread ---
  /// Every job that has a sandbox or waits for one.
  std::vector<wire::LiveJob> live() const;
  /// To the job that the visit names. `not_found`.
  Result<void> visit(worker::AttemptControl::Visit visit);

 private:
  struct Order {
    model::JobSpec spec;
    engine::Reports* reports = nullptr;
    std::shared_ptr<worker::AttemptControl> control;
  };
  void serve_slot();
  void carry_out(Order order);
  model::AttemptReport attempt_of(const Order& order);

  Parts parts_;
  worker::ImagePins pins_;
  os::BoundedQueue<Order> orders_;
  struct Live {
    RunId run;
    std::string job;
    std::shared_ptr<worker::AttemptControl> control;
  };
  mutable os::Guarded<std::map<AttemptId, Live>> live_;
  std::vector<std::jthread> slots_;  // last: the threads use all of the above
};

}  // namespace slipway::program
