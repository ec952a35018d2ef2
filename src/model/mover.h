#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/plan.h"
#include "model/transitions.h"

namespace slipway::model {

/// Applies one event to a run and collects what that did. Lives for one call. Private to model/.
class Mover {
 public:
  Mover(Run& run, Time now) : run_(run), now_(now) {}

  void apply(const RunBegins& event);
  void apply(const RunRefused& event);
  void apply(const AttemptRuns& event);
  void apply(const AttemptEnded& event);
  void apply(const TriggerRequested& event);
  void apply(const CancelRequested& event);
  void apply(const GroupEntered& event);
  void apply(const GroupRefused& event);
  void apply(const JobSuperseded& event);
  void apply(const Tick& event);
  /// True: an attempt was started or there is nothing to start; false: a job was rejected, ask again.
  bool start_one(const AttemptId& fresh);

  /// Decides what became decidable, ends the run when nothing is open, and hands out what was collected.
  Changes settle();

 private:
  /// What a job's condition comes to, once all that it depends on has ended.
  struct Verdict {
    std::optional<Outcome> ends_as;  ///< no value: it runs
    std::string reason;
    Trace because;
  };

  const JobDefinition& definition_of(const Job& job) const { return *run_.groups[job.group].definition; }

  // deciding
  Verdict verdict_on(const Job& job) const;
  void all_success(const Group& group, Verdict& verdict) const;
  void decide_group(GroupIndex index);
  bool expand(GroupIndex index);
  void decide(JobIndex index);
  bool keep(JobIndex index);
  void end_undecided(GroupIndex index, Outcome outcome, const std::string& reason);

  // moving one job on
  void make_runnable(JobIndex index);
  void place(JobIndex index);
  void queue(JobIndex index);
  void vacate(GroupIndex index);
  void stop(JobIndex index, StopWhy why, Promptness promptness);
  void finish(JobIndex index, Outcome outcome, int exit_code, const std::string& reason);
  void account(const Job& job, Group& group);
  void fail_fast(GroupIndex index, const std::string& because_of);
  void end_group(GroupIndex index);
  void finish_run();

  // attempts and triggers
  std::optional<std::string> take_vars(const std::map<std::string, std::string>& vars);
  bool retries(const Job& job, Outcome outcome) const;
  void back_off(JobIndex index);
  void take_triggers(JobIndex index, const TriggerRequested& request);
  static void describe(const JobDefinition& asked, Triggered& notice);
  struct Joined {
    std::string as;       // empty: it is not part of the run
    std::string refused;  // why; empty for one that nobody wants followed

    std::string text() const;
  };
  Joined join_run(JobIndex by, const AskedJob& asked, std::vector<std::pair<std::string, std::string>>& renamed);
  void cancel_jobs(Promptness promptness);
  void cancel_job(JobIndex index, Promptness promptness);

  void changed(JobIndex index) { changes_.changed.push_back(index); }
  void note(std::string job, std::string what, Trace because) {
    changes_.decisions.push_back({std::move(job), std::move(what), std::move(because)});
  }
  template <class N>
  void notify(N notice) {
    changes_.effects.push_back(Notify{Notice(std::move(notice))});
  }

  Run& run_;
  const Time now_;
  Changes changes_;
  std::vector<GroupIndex> to_decide_;  ///< instead of recursion: a chain of skipped jobs may be long
  std::optional<RunRefused> refused_;
};

}  // namespace slipway::model
