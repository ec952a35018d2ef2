#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>
#include <variant>

#include "engine/dispatcher.h"
#include "engine/shared_groups.h"
#include "model/concurrency.h"
#include "model/transitions.h"
#include "os/queue.h"

/// The dispatcher's thread and all that it owns. Private to engine/.
namespace slipway::engine {

inline constexpr std::size_t kMaxCommands = 4'096;  ///< waiting; who pushes more waits
inline constexpr std::size_t kMaxBatch = 256;       ///< commands decided and committed together
inline constexpr std::size_t kMaxLiveRuns = 10'000;
inline constexpr int kCommitTries = 3;  ///< each waits as long as the store's busy timeout

using Ends = os::BoundedQueue<RunOutcome>;

struct Submit {
  Submission submission;
  std::shared_ptr<Ends> ends;  ///< told when the run has ended; may be null. Has room.
};
struct Cancel {
  RunId run;  ///< empty: all
  model::CancelRequested request;
};
struct Close {};
using Command = std::variant<Submit, Cancel, AttemptBegan, AttemptAdvanced, AttemptAsks, model::AttemptReport, Close>;

class Dispatcher::Loop {
 public:
  Loop(store::Store& store, Executor& executor, TriggerReader& triggers, model::Listener& listener, Log& log,
       Options options, Reports& reports);

  /// False: the loop is over.
  bool push(Command command) { return commands_.push(std::move(command)); }
  void push_if_room(Command command) { (void)commands_.try_push(std::move(command)); }  // what does not fit may go

 private:
  struct Live {
    model::Run run;
    std::string groups_of;  // who shares its concurrency groups
    std::string group(const std::string& name) const { return groups_of + "\n" + name; }
    std::shared_ptr<Ends> ends;
    std::string concurrency_group;       ///< that the run as a whole is in or waits for; empty: none
    std::vector<model::JobIndex> dirty;  ///< to be written with the next commit
    bool in_turn = false;
  };
  /// Whom a concurrency group lets in, as far as this process goes.
  struct Inside {
    model::Holder who;
    bool entered = false;  ///< no other process has the group: `who` was told
    bool told_to_go = false;
    bool told_to_wait = false;  ///< said to people once
  };
  /// What is done after the commit, in this order.
  struct Acts {
    std::vector<model::JobSpec> starts;
    std::vector<model::StopAttempt> stops;
    std::vector<model::Notice> notices;
    std::vector<std::pair<std::shared_ptr<Ends>, RunOutcome>> ends;
    std::vector<std::pair<std::shared_ptr<TriggerAnswers>, TriggerAnswer>> answers;
  };

  void serve();
  os::Deadline next_wake(Time now) const;

  // deciding
  void handle(Submit&& command, Time now);
  void handle(Cancel&& command, Time now);
  void handle(AttemptBegan&& report, Time now);
  void handle(AttemptAdvanced&& report, Time now);
  void handle(AttemptAsks&& report, Time now);
  void handle(model::AttemptReport&& report, Time now);
  void handle(Close&&, Time now);
  void tick(Time now);
  void fill_slots(Time now);
  void feed(const RunId& run, const model::RunEvent& event, Time now);
  void feed_all(Time now);
  void take(Live& live, model::Changes&& changes, Time now);
  void take(Live& live, model::Effect&& effect);
  void enter(const std::string& group, model::Concurrency::Policy policy, const model::Holder& who);
  void leave(const std::string& group, const model::Holder& who);
  void look_at(const std::string& group);
  void look_at_groups(Time now);
  void refuse(const model::Holder& who, model::Outcome outcome, const std::string& reason);
  void supersede(const model::Holder& who, const std::string& reason);
  void end(Live& live);
  void end_unstored(Submit&& command, const Error& error, Time now);
  model::TriggerRequested understood(const Live& live, const AttemptId& attempt, const std::string& json,
                                     model::Trust trust);
  Live* live_of(const RunId& run);
  Live* live_of(const AttemptId& attempt);

  // persisting, acting
  Result<void> commit();
  void act();
  void break_down(const Error& error, Time now);
  void count_tests(model::RunFinished& finished);

  store::Store& store_;
  Executor& executor_;
  TriggerReader& triggers_;
  model::Listener& listener_;
  Log& log_;
  const Options options_;
  Reports& reports_;
  os::BoundedQueue<Command> commands_{kMaxCommands};

  // Owned by the thread.
  std::unordered_map<RunId, std::unique_ptr<Live>> live_;
  std::unordered_map<AttemptId, RunId> attempts_;  ///< given to the executor and not reported yet
  std::deque<RunId> turn_;                         ///< runs with ready jobs: each starts one in turn
  std::set<std::pair<Time, RunId>> wakes_;
  std::vector<RunId> touched_;  ///< runs with dirty jobs
  std::vector<RunId> done_;     ///< to be forgotten after the commit
  std::set<RunId> tested_;      ///< runs that have test results
  model::ConcurrencyGroups groups_;
  SharedGroups shared_groups_;
  std::map<std::string, Inside> inside_;                   ///< by concurrency group
  os::Deadline next_look_{};                               ///< when members of other processes are looked for again
  std::deque<std::pair<RunId, model::RunEvent>> to_feed_;  ///< what one run's change means for others
  store::Batch batch_;
  Acts acts_;
  bool closing_ = false;
  bool broken_ = false;  ///< the store is: nothing starts any more

  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace slipway::engine
