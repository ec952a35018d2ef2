#include "model/mover.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "model/instances.h"
#include "model/wording.h"

namespace slipway::model {

namespace {

constexpr std::size_t kMostNamed = 5;

/// How a dependency ended that did not succeed: the worst of its instances.
Outcome outcome_of_group(const Run& run, const Group& group) {
  Outcome worst = ending_of_group(group) == Ending::skipped ? Outcome::skipped : Outcome::succeeded;
  for (const JobIndex index : group.jobs) {
    const Job& job = run.jobs[index];
    if (!job.failure_allowed) worst = worse(worst, job.outcome);
  }
  return worst;
}

bool holds_place(JobState state) {
  return state == JobState::ready || state == JobState::starting || state == JobState::running;
}

/// Does the condition ask about the instance? Then it cannot be answered for the group.
bool asks_about_instance(const Expression& condition) {
  const auto names = names_in(condition);
  return std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name == "item" || name.starts_with("matrix.") || name.starts_with("env.");
  });
}

}  // namespace

Changes Mover::settle() {
  while (!to_decide_.empty()) {
    const GroupIndex next = to_decide_.back();
    to_decide_.pop_back();
    decide_group(next);
  }
  if (run_.state == RunState::running && run_.groups_open == 0) finish_run();
  return std::move(changes_);
}

// --- deciding ---

void Mover::all_success(const Group& group, Verdict& verdict) const {
  if (group.depends_on.empty()) return;
  if (group.dependencies_bad == 0) {
    verdict.because.push_back({"all_success", "true"});
    return;
  }
  std::vector<std::string> bad;
  for (const GroupIndex index : group.depends_on) {
    const Group& dependency = run_.groups[index];
    if (ending_of_group(dependency) == Ending::succeeded) continue;
    bad.push_back(fmt::format("{} {}", dependency.name, past_tense(outcome_of_group(run_, dependency))));
    if (bad.size() == kMostNamed) break;
  }
  if (group.dependencies_bad > bad.size()) bad.push_back(fmt::format("{} more", group.dependencies_bad - bad.size()));
  verdict.ends_as = Outcome::skipped;
  verdict.reason = join(bad, ", ");
  verdict.because.push_back({"all_success", fmt::format("false ({})", verdict.reason)});
}

Mover::Verdict Mover::verdict_on(const Job& job) const {
  const Group& group = run_.groups[job.group];
  const ExpressionPtr& condition = group.definition->condition;
  if (refused_) return {refused_->outcome, refused_->reason, {}};
  if (run_.cancelled_at_once || (run_.cancelling && (!condition || !may_hold_when_cancelled(*condition)))) {
    return {Outcome::cancelled, run_.cancel_reason, {{"cancelled", "true"}}};
  }
  Verdict verdict;
  if (!condition || !calls_status_function(*condition)) all_success(group, verdict);
  if (!condition || verdict.ends_as) return verdict;
  const auto rejected = [&](const Error& error) { return Verdict{Outcome::rejected, error.what, verdict.because}; };
  auto scope = scope_for(run_, job, Purpose::execute);
  if (!scope) return rejected(scope.error());
  for (const GroupIndex index : group.depends_on) {
    scope->endings.emplace(run_.groups[index].name, ending_of_group(run_.groups[index]));
  }
  const auto answer = holds(*condition, *scope, verdict.because);
  if (!answer) return rejected(answer.error());
  if (!*answer) {
    verdict.ends_as = Outcome::skipped;
    verdict.reason = fmt::format("its condition does not hold: {}", condition->text);
  }
  return verdict;
}

void Mover::decide_group(GroupIndex index) {
  if (run_.groups[index].ended) return;
  if (run_.groups[index].expands_later && run_.groups[index].jobs.empty() && !expand(index)) return;
  // By index: deciding may add jobs.
  for (std::size_t i = 0; i < run_.groups[index].jobs.size(); ++i) {
    const JobIndex job = run_.groups[index].jobs[i];
    if (run_.jobs[job].state == JobState::waiting) decide(job);
  }
  if (run_.groups[index].jobs.empty()) {
    note(run_.groups[index].name, "skip", {{"for_each", "an empty list"}});
    end_group(index);
  }
}

void Mover::end_undecided(GroupIndex index, Outcome outcome, const std::string& reason) {
  const JobIndex job = add_stand_in(run_, index);
  notify(JobsAdded{run_.id, {run_.jobs[job].name}, "without instances"});
  finish(job, outcome, 0, reason);
}

/// False: the group has ended without instances.
bool Mover::expand(GroupIndex index) {
  const JobDefinition& definition = *run_.groups[index].definition;
  Job any;
  any.group = index;
  if (!definition.condition || !asks_about_instance(*definition.condition)) {
    const Verdict verdict = verdict_on(any);
    if (verdict.ends_as) {
      note(run_.groups[index].name, std::string(to_string(*verdict.ends_as)), verdict.because);
      end_undecided(index, *verdict.ends_as, verdict.reason);
      return false;
    }
  }
  Result<std::vector<JobIndex>> added = [&]() -> Result<std::vector<JobIndex>> {
    SW_TRY(const Scope scope, scope_for(run_, any, Purpose::execute));
    SW_TRY(ValueList items, items_of(*definition.for_each, scope));
    return add_instances(run_, index, items);
  }();
  if (!added) {
    note(run_.groups[index].name, "reject", {{"for_each", added.error().what}});
    end_undecided(index, Outcome::rejected, added.error().what);
    return false;
  }
  note(run_.groups[index].name, "instances",
       {{"for_each", fmt::format("{} instance{}", added->size(), added->size() == 1 ? "" : "s")}});
  if (added->empty()) return true;
  JobsAdded notice{run_.id, {}, fmt::format("for_each of `{}`", run_.groups[index].name)};
  for (const JobIndex job : *added) {
    notice.jobs.push_back(run_.jobs[job].name);
    changed(job);
  }
  notify(std::move(notice));
  return true;
}

bool Mover::keep(JobIndex index) {
  const std::optional<Kept>& kept = run_.options.kept;
  if (!kept || refused_ || run_.cancelling) return false;
  Job& job = run_.jobs[index];
  const auto found = kept->jobs.find(job.name);
  if (found == kept->jobs.end()) return false;
  job.outputs = found->second.outputs;
  (void)take_vars(found->second.vars);  // one that had another value already failed of that in its own run
  const std::string from = "kept from " + kept->from;
  note(job.name, "keep", {{from, std::string(to_string(found->second.outcome))}});
  finish(index, found->second.outcome, found->second.exit_code, from);
  return true;
}

void Mover::decide(JobIndex index) {
  if (keep(index)) return;
  Verdict verdict = verdict_on(run_.jobs[index]);
  const Outcome ends_as = verdict.ends_as.value_or(Outcome::succeeded);
  const char* what = !verdict.ends_as                ? "run"
                     : ends_as == Outcome::skipped   ? "skip"
                     : ends_as == Outcome::cancelled ? "cancel"
                                                     : "reject";
  if (ends_as == Outcome::rejected) verdict.because.push_back({"rejected", verdict.reason});
  note(run_.jobs[index].name, what, std::move(verdict.because));
  if (verdict.ends_as)
    finish(index, ends_as, 0, verdict.reason);
  else
    make_runnable(index);
}

// --- moving one job on ---

void Mover::make_runnable(JobIndex index) {
  Job& job = run_.jobs[index];
  const JobDefinition& definition = definition_of(job);
  if (!definition.concurrency) return place(index);
  const Result<std::string> group = [&]() -> Result<std::string> {
    SW_TRY(const Scope scope, scope_of(run_, index, Purpose::execute));
    return model::expand(definition.concurrency->group, scope);
  }();
  if (!group) return finish(index, Outcome::rejected, 0, group.error().what);
  job.state = JobState::held;
  job.concurrency_group = *group;
  changed(index);
  changes_.effects.push_back(EnterGroup{index, *group, definition.concurrency->policy});
}

void Mover::place(JobIndex index) {
  Job& job = run_.jobs[index];
  Group& group = run_.groups[job.group];
  const auto& matrix = group.definition->matrix;
  if (matrix && matrix->max_parallel && std::cmp_greater_equal(group.active, std::max(1, *matrix->max_parallel))) {
    if (job.state != JobState::held) changed(index);
    job.state = JobState::held;
    group.held.push_back(index);
    return;
  }
  queue(index);
}

void Mover::queue(JobIndex index) {
  Job& job = run_.jobs[index];
  ++run_.groups[job.group].active;
  job.state = JobState::ready;
  run_.ready.push_back(index);
  changed(index);
}

void Mover::vacate(GroupIndex index) {
  Group& group = run_.groups[index];
  SW_ASSERT(group.active > 0, "who vacates had a place");
  --group.active;
  if (!group.definition->matrix || !group.definition->matrix->max_parallel) return;
  const auto places = static_cast<std::uint32_t>(std::max(1, *group.definition->matrix->max_parallel));
  while (!group.held.empty() && group.active < places) {
    const JobIndex next = group.held.front();
    group.held.pop_front();
    if (run_.jobs[next].state == JobState::held) queue(next);  // else it was cancelled while it waited
  }
}

void Mover::stop(JobIndex index, StopWhy why, Promptness promptness) {
  Job& job = run_.jobs[index];
  if (job.stopping && promptness == Promptness::graceful) return;
  if (!job.stopping) job.stopping = why;
  changes_.effects.push_back(StopAttempt{job.attempt, *job.stopping, promptness});
}

void Mover::account(const Job& job, Group& group) {
  if (job.outcome == Outcome::succeeded || job.failure_allowed)
    ++group.succeeded;
  else if (job.outcome == Outcome::cancelled)
    ++group.cancelled;
  else if (job.outcome != Outcome::skipped)
    ++group.failed;

  const Outcome counts = job.failure_allowed ? Outcome::succeeded : job.outcome;
  const Outcome worst = worse(run_.outcome, counts);
  if (worst != run_.outcome && exit_code_of(worst) != 0) {
    run_.reason =
        fmt::format("job `{}` {}{}{}", job.name, past_tense(job.outcome), job.reason.empty() ? "" : ": ", job.reason);
  }
  run_.outcome = worst;
}

void Mover::finish(JobIndex index, Outcome outcome, int exit_code, const std::string& reason) {
  Job& job = run_.jobs[index];
  SW_ASSERT(job.state != JobState::finished, "a job finishes once");
  Group& group = run_.groups[job.group];
  const bool had_place = holds_place(job.state);
  if (job.state == JobState::backing_off) run_.retries.erase({job.retry_at, index});
  job.state = JobState::finished;
  job.outcome = outcome;
  job.exit_code = exit_code;
  job.reason = reason;
  job.failure_allowed = job.continue_on_error && ending_of(outcome) == Ending::failed;
  job.finished = now_;
  if (job.attempts == 0) job.started = now_;
  changed(index);
  account(job, group);
  --group.open;
  if (!job.concurrency_group.empty()) changes_.effects.push_back(LeaveGroup{index, job.concurrency_group});
  notify(JobFinished{run_.id, job.name, outcome, exit_code, reason, job.failure_allowed, job.started, job.finished});
  if (had_place) vacate(job.group);
  if (ending_of(outcome) == Ending::failed && !job.failure_allowed) fail_fast(job.group, job.name);
  if (group.open == 0 && !group.ended) end_group(job.group);
}

void Mover::fail_fast(GroupIndex index, const std::string& because_of) {
  Group& group = run_.groups[index];
  if (!group.definition->matrix || !group.definition->matrix->fail_fast || group.fail_fast_fired) return;
  if (run_.options.kept && run_.options.kept->jobs.contains(because_of)) return;  // it failed in another run
  group.fail_fast_fired = true;
  const std::string reason = fmt::format("fail_fast: {} failed", because_of);
  for (const JobIndex job : group.jobs) {
    const JobState state = run_.jobs[job].state;
    if (state == JobState::finished) continue;
    if (state == JobState::starting || state == JobState::running)
      stop(job, StopWhy::fail_fast, Promptness::graceful);
    else
      finish(job, Outcome::cancelled, 0, reason);
  }
}

void Mover::end_group(GroupIndex index) {
  Group& group = run_.groups[index];
  group.ended = true;
  --run_.groups_open;
  const bool bad = ending_of_group(group) != Ending::succeeded;
  for (const GroupIndex dependent : group.dependents) {
    Group& waiting = run_.groups[dependent];
    --waiting.dependencies_open;
    if (bad) ++waiting.dependencies_bad;
    if (waiting.dependencies_open == 0 && !waiting.ended) to_decide_.push_back(dependent);
  }
}

void Mover::finish_run() {
  run_.state = RunState::finished;
  run_.finished = now_;
  run_.exit_code = exit_code_of(run_.outcome);
  std::size_t failed = 0;
  for (const Group& group : run_.groups) failed += group.failed;
  if (failed > 1) run_.reason += fmt::format("; {} more failed", failed - 1);
  changes_.run_changed = true;
  notify(RunFinished{run_.id, run_.outcome, run_.exit_code, run_.reason, now_});
}

}  // namespace slipway::model
