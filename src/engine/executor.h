#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/run.h"
#include "os/queue.h"

namespace slipway::engine {

/// An attempt runs: its sandbox is there and its journal is written to `journal_path`.
struct AttemptBegan {
  AttemptId attempt;
  std::string journal_path;
};
struct AttemptAdvanced {
  AttemptId attempt;
  std::uint64_t journal_bytes = 0;
};
/// What became of one trigger, once that is stored.
struct TriggerAnswer {
  struct Job {
    std::string name;
    std::string as;       ///< the name that it joined the run by; empty: it did not
    std::string refused;  ///< why; empty for one that is only told of, since nobody wants triggers followed
  };
  std::vector<Job> jobs;  ///< in the order asked for
};
using TriggerAnswers = os::BoundedQueue<TriggerAnswer>;

struct AttemptAsks {
  AttemptId attempt;
  model::TriggerRequest trigger;
  bool took_untrusted = false;              ///< as AttemptReport's
  std::shared_ptr<TriggerAnswers> answers;  ///< closed without one: nobody can say. May be null; has room
};

/// Where an executor reports to. Any thread may call, but not from inside `Executor::start` or `stop`.
/// Calls block while the dispatcher is far behind, but `advanced` is dropped then. Unknown attempts are ignored.
class Reports {
 public:
  virtual ~Reports() = default;
  virtual void began(AttemptBegan report) = 0;
  virtual void advanced(const AttemptAdvanced& report) = 0;
  virtual void asks(AttemptAsks report) = 0;
  virtual void ended(model::AttemptReport report) = 0;
};

/// Carries attempts out. Both calls come from the dispatcher's thread and return at once, having only queued the work.
///
/// Contract: every `start` leads to exactly one `Reports::ended`, whatever goes wrong, also after `stop`; an attempt
/// that could not start or was lost ends `infra_failed`. At most `slots` (Dispatcher::Options) are alive at a time.
class Executor {
 public:
  virtual ~Executor() = default;
  /// `reports` outlives the attempt.
  virtual void start(model::JobSpec spec, Reports& reports) = 0;
  /// May come late (the attempt has ended: nothing to do) and twice (the second time `at_once`).
  virtual void stop(const AttemptId& attempt, model::StopWhy why, model::Promptness promptness) = 0;
};

}  // namespace slipway::engine
