#include "model/transitions.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "model/instances.h"
#include "model/mover.h"

namespace slipway::model {

namespace {

constexpr std::size_t kMaxAskedTexts = 1'000;  // of one job

bool is_live(JobState state) { return state == JobState::starting || state == JobState::running; }

template <class T>
void append(std::vector<T>& to, std::vector<T>&& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

void Changes::add(Changes&& more) {
  append(effects, std::move(more.effects));
  append(changed, std::move(more.changed));
  append(decisions, std::move(more.decisions));
  run_changed = run_changed || more.run_changed;
}

Changes on_event(Run& run, const RunEvent& event, Time now) {
  if (run.state == RunState::finished) return {};  // late or repeated: nothing to do
  Mover mover(run, now);
  std::visit([&](const auto& e) { mover.apply(e); }, event);
  return mover.settle();
}

Changes start_next(Run& run, const AttemptId& fresh, Time now) {
  Mover mover(run, now);
  while (has_ready(run) && !mover.start_one(fresh)) {
  }
  return mover.settle();
}

bool has_ready(Run& run) {
  while (!run.ready.empty() && run.jobs[run.ready.front()].state != JobState::ready) run.ready.pop_front();
  return !run.ready.empty() && (!run.options.max_parallel || run.active < *run.options.max_parallel);
}

// --- the run as a whole ---

void Mover::apply(const RunBegins&) {
  if (run_.state != RunState::planned) return;
  run_.state = RunState::running;
  run_.started = now_;
  changes_.run_changed = true;
  RunStarted notice{
      run_.id, run_.workflow->name,      std::string(to_string(run_.event.kind)), run_.event.branch, run_.event.sha, {},
      now_,    run_.options.source_trust};
  notice.jobs.reserve(run_.jobs.size());
  for (JobIndex job = 0; job < run_.jobs.size(); ++job) {
    notice.jobs.push_back(run_.jobs[job].name);
    changed(job);
  }
  notify(std::move(notice));
  // From the back, so that the first group of the file is decided first and its jobs stand first in the queue.
  for (auto group = static_cast<GroupIndex>(run_.groups.size()); group-- > 0;) {
    if (run_.groups[group].dependencies_open == 0) to_decide_.push_back(group);
  }
}

void Mover::apply(const RunRefused& event) {
  if (run_.state != RunState::planned) return;
  refused_ = event;
  note("", std::string(to_string(event.outcome)), {{"concurrency", event.reason}});
  apply(RunBegins{});
}

void Mover::apply(const CancelRequested& event) {
  if (run_.cancelled_at_once) return;
  const bool first = !run_.cancelling;
  if (!first && event.promptness == Promptness::graceful) return;
  run_.cancelled_at_once = event.promptness == Promptness::at_once || run_.state == RunState::planned;
  if (first) {
    run_.cancelling = event.why;
    run_.cancel_reason = event.reason;
    run_.cancel_deadline = now_ + run_.options.cancel_grace;
    changes_.run_changed = true;
    note("", "cancel", {{std::string(to_string(event.why)), event.reason}});
    if (!run_.cancelled_at_once) changes_.effects.push_back(WakeAt{run_.cancel_deadline});
  }
  if (run_.state == RunState::planned) return apply(RunBegins{});
  cancel_jobs(event.promptness);
}

void Mover::cancel_jobs(Promptness promptness) {
  const auto count = static_cast<JobIndex>(run_.jobs.size());
  for (JobIndex job = 0; job < count; ++job) cancel_job(job, promptness);
  if (promptness == Promptness::graceful) return;
  for (GroupIndex group = 0; group < run_.groups.size(); ++group) {
    if (!run_.groups[group].ended && run_.groups[group].jobs.empty()) to_decide_.push_back(group);
  }
}

void Mover::cancel_job(JobIndex index, Promptness promptness) {
  const Job& job = run_.jobs[index];
  const ExpressionPtr& condition = definition_of(job).condition;
  const bool spared = promptness == Promptness::graceful && condition && may_hold_when_cancelled(*condition);
  switch (job.state) {
    case JobState::finished: return;
    case JobState::waiting:  // gracefully: decided in its turn, which `always` survives
      if (promptness == Promptness::at_once) finish(index, Outcome::cancelled, 0, run_.cancel_reason);
      return;
    case JobState::starting:
    case JobState::running:
      if (!spared) stop(index, *run_.cancelling, promptness);
      return;
    case JobState::held:
    case JobState::ready:
      if (!spared) finish(index, Outcome::cancelled, 0, run_.cancel_reason);
      return;
    case JobState::backing_off: finish(index, Outcome::cancelled, 0, run_.cancel_reason); return;
  }
}

void Mover::apply(const Tick&) {
  if (run_.cancelling && !run_.cancelled_at_once && run_.cancel_deadline <= now_) {
    run_.cancelled_at_once = true;
    cancel_jobs(Promptness::at_once);
  }
  while (!run_.retries.empty() && run_.retries.begin()->first <= now_) {
    const JobIndex job = run_.retries.begin()->second;
    run_.retries.erase(run_.retries.begin());
    place(job);
  }
}

// --- concurrency groups of jobs ---

void Mover::apply(const GroupEntered& event) {
  if (event.job >= run_.jobs.size()) return;
  const Job& job = run_.jobs[event.job];
  const auto& held = run_.groups[job.group].held;
  if (job.state != JobState::held || job.concurrency_group.empty()) return;
  if (std::find(held.begin(), held.end(), event.job) == held.end()) place(event.job);
}

void Mover::apply(const GroupRefused& event) {
  if (event.job >= run_.jobs.size() || run_.jobs[event.job].state != JobState::held) return;
  note(run_.jobs[event.job].name, event.outcome == Outcome::rejected ? "reject" : "cancel",
       {{"concurrency", event.reason}});
  finish(event.job, event.outcome, 0, event.reason);
}

void Mover::apply(const JobSuperseded& event) {
  if (event.job >= run_.jobs.size() || run_.jobs[event.job].state == JobState::finished) return;
  note(run_.jobs[event.job].name, "cancel", {{"concurrency", event.reason}});
  if (is_live(run_.jobs[event.job].state))
    stop(event.job, StopWhy::superseded, Promptness::graceful);
  else
    finish(event.job, Outcome::cancelled, 0, event.reason);
}

// --- attempts ---

bool Mover::start_one(const AttemptId& fresh) {
  const JobIndex index = run_.ready.front();
  run_.ready.pop_front();
  Job& job = run_.jobs[index];
  auto spec = resolve(run_, index, fresh, job.attempts + 1, Purpose::execute);
  if (!spec) {
    const ErrorKind kind = spec.error().kind;
    const bool pointless = kind == ErrorKind::invalid || kind == ErrorKind::not_found || kind == ErrorKind::exhausted ||
                           kind == ErrorKind::denied;
    note(job.name, "reject", {{"templates", spec.error().what}});
    finish(index, pointless ? Outcome::rejected : Outcome::infra_failed, 0, spec.error().what);
    return false;
  }
  if (!definition_of(job).late.empty()) {
    // It was resolved a line above, so this cannot fail: conditions on the instance itself decide here.
    if (const auto scope = scope_of(run_, index, Purpose::execute)) {
      if (const auto definition = settled(run_, job, *scope)) {
        job.continue_on_error = (*definition)->continue_on_error;
        job.retry = (*definition)->retry.value_or(Retry{});
      }
    }
  }
  // Nothing hangs on it yet but what other jobs are told of: text that cannot be expanded is no name.
  if (const auto& place = definition_of(job).environment) {
    const auto scope = scope_of(run_, index, Purpose::execute);
    const auto name = scope ? model::expand(*place, *scope) : Result<std::string>(std::string());
    job.environment = name.value_or("");
  }
  job.state = JobState::starting;
  if (job.attempts++ == 0) job.started = now_;
  job.attempt = fresh;
  job.attempt_started = now_;
  job.journal_path.clear();
  job.stopping.reset();
  for (auto& [json, asked] : job.asked) asked.by_attempt = 0;
  job.operations.clear();
  run_.job_by_attempt.emplace(fresh, index);
  ++run_.active;
  changed(index);
  changes_.effects.push_back(StartAttempt{std::move(*spec)});
  return true;
}

void Mover::apply(const AttemptRuns& event) {
  const auto at = run_.job_by_attempt.find(event.attempt);
  if (at == run_.job_by_attempt.end()) return;  // fenced off, or a repeat after its end
  Job& job = run_.jobs[at->second];
  if (job.state != JobState::starting) return;
  job.state = JobState::running;
  job.journal_path = event.journal_path;
  changed(at->second);
  AttemptStarted notice{run_.id, job.name, job.attempt, job.attempts, event.journal_path, {}, now_};
  for (const StepDefinition& step : definition_of(job).steps) {
    notice.steps.push_back(step.name.empty() ? fmt::format("step {}", notice.steps.size() + 1) : step.name);
  }
  notify(std::move(notice));
}

bool Mover::retries(const Job& job, Outcome outcome) const {
  if (run_.cancelling || job.stopping) return false;
  const Group& group = run_.groups[job.group];
  if (group.fail_fast_fired || job.attempts > job.retry.attempts) return false;
  return std::find(job.retry.on.begin(), job.retry.on.end(), outcome) != job.retry.on.end();
}

void Mover::back_off(JobIndex index) {
  Job& job = run_.jobs[index];
  job.state = JobState::backing_off;
  job.retry_at = now_ + backoff_after(job.retry, job.attempts);
  run_.retries.insert({job.retry_at, index});
  changed(index);
  note(job.name, "retry", {{fmt::format("attempt {} of {}", job.attempts, job.retry.attempts + 1), job.reason}});
  changes_.effects.push_back(WakeAt{job.retry_at});
  vacate(job.group);
}

/// A variable of a workflow has one value, whoever sets it: the same again is no harm, another is a mistake.
std::optional<std::string> Mover::take_vars(const std::map<std::string, std::string>& vars) {
  for (const auto& [name, value] : vars) {
    std::optional<std::string> known;
    for (const auto& [declared, text] : run_.workflow->vars) {
      if (declared == name) known = to_text(text).value_or("");
    }
    if (const auto set = run_.vars.find(name); set != run_.vars.end()) known = set->second;
    if (known && *known != value) return fmt::format("the variable {} of the workflow has another value already", name);
    if (!run_.vars.contains(name) && run_.vars.size() >= kMaxRunVars)
      return fmt::format("the jobs of a run set at most {} variables", kMaxRunVars);
    run_.vars.emplace(name, value);
  }
  return std::nullopt;
}

void Mover::apply(const AttemptEnded& event) {
  const auto at = run_.job_by_attempt.find(event.report.attempt);
  if (at == run_.job_by_attempt.end()) return;  // fenced off, or a repeat
  const JobIndex index = at->second;
  for (auto& [json, asked] : run_.jobs[index].asked) asked.by_attempt = 0;
  run_.jobs[index].operations.clear();
  for (const TriggerRequested& request : event.triggers) take_triggers(index, request);
  run_.job_by_attempt.erase(at);
  --run_.active;

  Job& job = run_.jobs[index];
  Outcome outcome = event.report.outcome;
  std::string reason = event.report.reason;
  // Who is stopped before its sandbox stands cannot know better than that it did not run.
  if (job.stopping && outcome == Outcome::infra_failed) outcome = Outcome::cancelled;
  if (outcome == Outcome::cancelled && reason.empty()) {
    reason = job.stopping == StopWhy::fail_fast ? "fail_fast: another instance failed" : run_.cancel_reason;
  }
  job.outputs = event.report.outputs;
  if (const auto conflict = take_vars(event.report.vars); conflict && outcome == Outcome::succeeded) {
    outcome = Outcome::failed;
    reason = *conflict;
  }
  const bool again = retries(job, outcome);
  if (again) {
    job.reason = fmt::format("{}{}{}", to_string(outcome), reason.empty() ? "" : ": ", reason);
    back_off(index);
  }
  AttemptReport report = event.report;
  report.outcome = outcome;
  report.reason = reason;
  notify(AttemptFinished{run_.id, job.name, std::move(report), again, again ? job.retry_at : Time{}});
  if (!again) finish(index, outcome, event.report.exit_code, reason);
}

// --- triggers ---

void Mover::apply(const TriggerRequested& event) {
  const auto at = run_.job_by_attempt.find(event.attempt);
  if (at != run_.job_by_attempt.end()) take_triggers(at->second, event);
}

std::string Mover::Joined::text() const {
  if (!as.empty()) return fmt::format("joins the run as `{}`", as);
  return refused.empty() ? "triggers are not followed in this run" : "refused: " + refused;
}

void Mover::take_triggers(JobIndex index, const TriggerRequested& request) {
  Job& job = run_.jobs[index];
  if (!request.operation.empty() && !job.operations.insert(request.operation).second) return;  // sent again
  std::vector<std::pair<std::string, std::string>> renamed;
  for (const AskedJob& asked : request.jobs) {
    Triggered notice{run_.id, run_.jobs[index].name, asked.name, asked.json, false, {}, {}, asked.file, {}, false};
    auto& texts = run_.jobs[index].asked;
    if (texts.size() >= kMaxAskedTexts && !texts.contains(asked.json)) {
      notice.reason = "this job asked for too many jobs";
      notify(std::move(notice));
      return;
    }
    Job::Asked& known = texts[asked.json];
    if (++known.by_attempt <= known.total)
      continue;  // the report repeats what was asked live, a retry what came before
    known.total = known.by_attempt;
    const Joined joined = join_run(index, asked, renamed);
    Job::Asked& answered = run_.jobs[index].asked[asked.json];  // jobs that joined may have moved this one
    answered.as = joined.as;
    answered.refused = joined.refused;
    notice.accepted = !joined.as.empty();
    notice.reason = joined.refused;
    notice.as = joined.as;
    if (asked.definition) describe(*asked.definition, notice);
    note(notice.by_job, "trigger",
         {{asked.name.empty() ? "asked for a job without a name" : fmt::format("asked for `{}`", asked.name),
           joined.text()}});
    notify(std::move(notice));
  }
}

void Mover::describe(const JobDefinition& asked, Triggered& notice) {
  if (asked.image && asked.image->is_literal()) notice.image = asked.image->literal();
  const bool says_it_all = notice.file.empty() ? asked.steps.size() == 1 : asked.steps.size() >= 1;
  notice.is_alone = says_it_all && asked.env.empty() && asked.depends_on.empty() && !asked.condition &&
                    !asked.for_each && !asked.ci_code && !asked.source_code && asked.params.empty();
}

Mover::Joined Mover::join_run(JobIndex by, const AskedJob& asked,
                              std::vector<std::pair<std::string, std::string>>& renamed) {
  const auto refuse = [](std::string why) { return Joined{{}, std::move(why)}; };
  if (!asked.definition) return refuse(asked.problem);
  if (!run_.options.follow_triggers) return {};
  if (run_.cancelling) return refuse("the run is being cancelled");
  if (run_.triggered >= kMaxTriggeredJobs)
    return refuse(fmt::format("triggers add at most {} jobs to a run", kMaxTriggeredJobs));
  const int depth = run_.groups[run_.jobs[by].group].depth + 1;
  if (depth > kMaxTriggerDepth) {
    return refuse(
        fmt::format("jobs that were asked for by jobs may go {} deep, and `{}` is that deep already: does a "
                    "job ask for itself?",
                    kMaxTriggerDepth, run_.jobs[by].name));
  }
  std::string name = asked.name;
  for (int i = 2; run_.group_by_name.contains(name) || run_.job_by_name.contains(name); ++i) {
    name = fmt::format("{} ({})", asked.name, i);
  }
  std::vector<std::string> depends_on = asked.definition->depends_on;
  for (std::string& dependency : depends_on) {
    // The latest of that name in the same trigger is meant, under the name that it got.
    const auto at =
        std::find_if(renamed.rbegin(), renamed.rend(), [&](const auto& r) { return r.first == dependency; });
    if (at != renamed.rend()) dependency = at->second;
  }
  auto group = add_group(run_, asked.definition, name, std::move(depends_on));
  if (!group) return refuse(group.error().what);
  run_.groups[*group].depth = depth;
  ++run_.triggered;
  renamed.emplace_back(asked.name, name);
  if (!is_expanded_at_plan_time(*asked.definition)) {
    run_.groups[*group].expands_later = true;
  } else {
    std::optional<ValueList> items;
    const Result<std::vector<JobIndex>> added = [&]() -> Result<std::vector<JobIndex>> {
      SW_TRY(const Scope scope, scope_of(run_));
      if (asked.definition->for_each) {
        SW_TRY(items, items_of(*asked.definition->for_each, scope));
      }
      return add_instances(run_, *group, items);
    }();
    if (!added) {
      end_undecided(*group, Outcome::rejected, added.error().what);
      return refuse(added.error().what);
    }
    JobsAdded notice{run_.id, {}, fmt::format("asked for by `{}`", run_.jobs[by].name)};
    for (const JobIndex job : *added) {
      notice.jobs.push_back(run_.jobs[job].name);
      changed(job);
    }
    notify(std::move(notice));
  }
  note(name, "start", {{"trigger", fmt::format("asked for by `{}`", run_.jobs[by].name)}});
  if (run_.groups[*group].dependencies_open == 0) to_decide_.push_back(*group);
  return {name, {}};
}

}  // namespace slipway::model
