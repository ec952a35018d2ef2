#include "engine/loop.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/wall_clock.h"
#include "engine/rows.h"
#include "model/plan.h"

namespace slipway::engine {

namespace {

model::Trust trust_of_asker(bool took_untrusted) {
  return took_untrusted ? model::Trust::untrusted : model::Trust::trusted;
}

}  // namespace

Dispatcher::Loop::Loop(store::Store& store, Executor& executor, TriggerReader& triggers, model::Listener& listener,
                       Log& log, Options options, Reports& reports)
    : store_(store),
      executor_(executor),
      triggers_(triggers),
      listener_(listener),
      log_(log),
      options_(std::move(options)),
      reports_(reports),
      shared_groups_(options_.groups_dir),
      thread_([this] { serve(); }) {}

void Dispatcher::Loop::serve() {
  while (!closing_ || !attempts_.empty()) {
    std::vector<Command> commands = commands_.pop(kMaxBatch, {{}, next_wake(wall_now())});
    const Time now = wall_now();
    // Decide.
    for (Command& command : commands) {
      std::visit([&](auto&& c) { handle(std::move(c), now); }, std::move(command));
      feed_all(now);
    }
    tick(now);
    look_at_groups(now);
    fill_slots(now);
    // Persist, and only then act.
    if (const auto done = commit(); !done) break_down(done.error(), now);
    act();
  }
  commands_.close();
}

os::Deadline Dispatcher::Loop::next_wake(Time now) const {
  const os::Deadline look = inside_.empty() || !shared_groups_.are_shared() ? os::Deadline::max() : next_look_;
  if (wakes_.empty()) return look;
  const Duration left = std::max(Duration(0), wakes_.begin()->first - now);
  return std::min(look, os::Clock::now() + left);
}

Dispatcher::Loop::Live* Dispatcher::Loop::live_of(const RunId& run) {
  const auto at = live_.find(run);
  return at == live_.end() ? nullptr : at->second.get();
}

Dispatcher::Loop::Live* Dispatcher::Loop::live_of(const AttemptId& attempt) {
  const auto at = attempts_.find(attempt);
  return at == attempts_.end() ? nullptr : live_of(at->second);
}

// --- deciding ---

void Dispatcher::Loop::handle(Submit&& command, Time now) {
  if (broken_) return end_unstored(std::move(command), {ErrorKind::unavailable, "the store is broken"}, now);
  if (closing_ || live_.size() >= kMaxLiveRuns) {
    return end_unstored(std::move(command), {ErrorKind::exhausted, closing_ ? "closing" : "too many runs at a time"},
                        now);
  }
  const auto number = store_.add_run(row_of(command.submission, options_.owner));
  if (!number) return end_unstored(std::move(command), number.error(), now);
  auto live = std::make_unique<Live>();
  live->run = std::move(command.submission.run);
  live->run.number = *number;
  live->groups_of = fmt::format("{}\t{}", command.submission.project, model::group_owner(live->run));
  live->ends = std::move(command.ends);
  for (model::Decision& decision : live->run.decisions)
    batch_.decisions.push_back({live->run.id, std::move(decision), now});
  live->run.decisions.clear();
  const RunId id = live->run.id;
  const auto concurrency = model::concurrency_of(live->run);
  if (concurrency && *concurrency) live->concurrency_group = live->group((*concurrency)->group);
  const std::string group = live->concurrency_group;
  live_.emplace(id, std::move(live));
  if (!concurrency)
    to_feed_.emplace_back(id, model::RunRefused{model::Outcome::rejected, concurrency.error().what});
  else if (*concurrency)
    enter(group, (*concurrency)->policy, {id, std::nullopt});
  else
    to_feed_.emplace_back(id, model::RunBegins{});
}

void Dispatcher::Loop::handle(Cancel&& command, Time) {
  if (!command.run.empty()) {
    to_feed_.emplace_back(command.run, std::move(command.request));
    return;
  }
  for (const auto& [id, live] : live_) to_feed_.emplace_back(id, command.request);
}

void Dispatcher::Loop::handle(AttemptBegan&& report, Time) {
  if (const Live* live = live_of(report.attempt)) {
    to_feed_.emplace_back(live->run.id, model::AttemptRuns{report.attempt, std::move(report.journal_path)});
  }
}

void Dispatcher::Loop::handle(AttemptAdvanced&& report, Time) {
  const Live* live = live_of(report.attempt);
  if (live == nullptr) return;
  const auto job = live->run.job_by_attempt.find(report.attempt);
  if (job == live->run.job_by_attempt.end()) return;
  acts_.notices.push_back(
      model::AttemptProgress{live->run.id, live->run.jobs[job->second].name, report.attempt, report.journal_bytes});
}

void Dispatcher::Loop::handle(AttemptAsks&& report, Time now) {
  Live* live = live_of(report.attempt);
  const auto job =
      live == nullptr ? decltype(live->run.job_by_attempt)::iterator() : live->run.job_by_attempt.find(report.attempt);
  if (broken_ || live == nullptr || job == live->run.job_by_attempt.end()) {
    if (report.answers) report.answers->close();
    return;
  }
  const model::JobIndex index = job->second;
  const model::TriggerRequested event =
      understood(*live, report.attempt, report.trigger.json, trust_of_asker(report.took_untrusted));
  take(*live, model::on_event(live->run, event, now), now);
  if (!report.answers) return;
  TriggerAnswer answer;
  const auto& asked = live->run.jobs[index].asked;
  for (const model::AskedJob& one : event.jobs) {
    const auto known = asked.find(one.json);
    if (known == asked.end())
      answer.jobs.push_back({one.name, {}, one.definition ? "this job asked for too many jobs" : one.problem});
    else
      answer.jobs.push_back({one.name, known->second.as, known->second.refused});
  }
  acts_.answers.emplace_back(std::move(report.answers), std::move(answer));
}

void Dispatcher::Loop::handle(model::AttemptReport&& report, Time) {
  const Live* live = live_of(report.attempt);
  attempts_.erase(report.attempt);  // its slot is free
  if (live == nullptr) return;
  model::AttemptEnded event;
  for (const model::TriggerRequest& trigger : report.triggers) {
    event.triggers.push_back(understood(*live, report.attempt, trigger.json, trust_of_asker(report.took_untrusted)));
  }
  if (!report.tests.empty()) tested_.insert(live->run.id);
  event.report = std::move(report);
  to_feed_.emplace_back(live->run.id, std::move(event));
}

void Dispatcher::Loop::handle(Close&&, Time) { closing_ = true; }

model::TriggerRequested Dispatcher::Loop::understood(const Live& live, const AttemptId& attempt,
                                                     const std::string& json, model::Trust trust) {
  model::TriggerRequested event{attempt, json, {}, {}};
  const auto job = live.run.job_by_attempt.find(attempt);
  if (job == live.run.job_by_attempt.end()) return event;
  Trigger read = triggers_.read(live.run, live.run.jobs[job->second], json, trust);
  event.jobs = std::move(read.jobs);
  event.operation = std::move(read.operation);
  return event;
}

void Dispatcher::Loop::feed(const RunId& id, const model::RunEvent& event, Time now) {
  if (Live* live = live_of(id)) take(*live, model::on_event(live->run, event, now), now);
}

void Dispatcher::Loop::feed_all(Time now) {
  while (!to_feed_.empty()) {
    const auto [run, event] = std::move(to_feed_.front());
    to_feed_.pop_front();
    feed(run, event, now);
  }
}

void Dispatcher::Loop::tick(Time now) {
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    to_feed_.emplace_back(wakes_.begin()->second, model::Tick{});
    wakes_.erase(wakes_.begin());
  }
  feed_all(now);
}

void Dispatcher::Loop::fill_slots(Time now) {
  while (!broken_ && !turn_.empty() && attempts_.size() < std::max(1U, options_.slots)) {
    const RunId id = std::move(turn_.front());
    turn_.pop_front();
    Live* live = live_of(id);
    if (live == nullptr) continue;
    live->in_turn = false;
    if (model::has_ready(live->run)) take(*live, model::start_next(live->run, AttemptId(new_id()), now), now);
    feed_all(now);
  }
}

void Dispatcher::Loop::take(Live& live, model::Changes&& changes, Time now) {
  add_rows(live.run, changes, options_.owner, now, batch_);
  if (live.dirty.empty() && !changes.changed.empty()) touched_.push_back(live.run.id);
  live.dirty.insert(live.dirty.end(), changes.changed.begin(), changes.changed.end());
  for (model::Effect& effect : changes.effects) take(live, std::move(effect));
  if (!live.in_turn && model::has_ready(live.run)) {
    live.in_turn = true;
    turn_.push_back(live.run.id);
  }
  if (changes.run_changed && live.run.state == model::RunState::finished) end(live);
}

void Dispatcher::Loop::take(Live& live, model::Effect&& effect) {
  const RunId& id = live.run.id;
  std::visit(Overloaded{
                 [&](model::StartAttempt&& start) {
                   attempts_.emplace(start.spec.attempt, id);
                   acts_.starts.push_back(std::move(start.spec));
                 },
                 [&](model::StopAttempt&& stop) { acts_.stops.push_back(std::move(stop)); },
                 [&](model::WakeAt&& wake) { wakes_.insert({wake.time, id}); },
                 [&](model::Notify&& notify) { acts_.notices.push_back(std::move(notify.notice)); },
                 [&](model::EnterGroup&& group) { enter(live.group(group.group), group.policy, {id, group.job}); },
                 [&](model::LeaveGroup&& group) { leave(live.group(group.group), {id, group.job}); },
             },
             std::move(effect));
}

// --- concurrency groups ---

namespace {

// Groups are named as `Live::group` says.
std::string shown(const std::string& group) { return group.substr(group.find('\n') + 1); }

}  // namespace

void Dispatcher::Loop::refuse(const model::Holder& who, model::Outcome outcome, const std::string& reason) {
  if (who.job)
    to_feed_.emplace_back(who.run, model::GroupRefused{*who.job, outcome, reason});
  else
    to_feed_.emplace_back(who.run, model::RunRefused{outcome, reason});
}

void Dispatcher::Loop::supersede(const model::Holder& who, const std::string& reason) {
  if (who.job)
    to_feed_.emplace_back(who.run, model::JobSuperseded{*who.job, reason});
  else
    to_feed_.emplace_back(who.run,
                          model::CancelRequested{model::StopWhy::superseded, model::Promptness::graceful, reason});
}

void Dispatcher::Loop::enter(const std::string& group, model::Concurrency::Policy policy, const model::Holder& who) {
  const auto answer = groups_.enter(group, policy, who);
  const std::string name = shown(group);
  for (const model::Holder& displaced : answer.displaced) {
    shared_groups_.leave(group, displaced);
    refuse(displaced, model::Outcome::cancelled, fmt::format("a newer one waits for concurrency group `{}`", name));
  }
  if (answer.to_cancel) {
    inside_[group].told_to_go = true;
    supersede(*answer.to_cancel, fmt::format("a newer one takes concurrency group `{}`", name));
  }
  using Verdict = model::ConcurrencyGroups::Answer::Verdict;
  if (answer.verdict == Verdict::refused) {
    return refuse(
        who, model::Outcome::rejected,
        fmt::format("{} are waiting for concurrency group `{}` already", model::ConcurrencyGroups::kMaxWaiting, name));
  }
  if (const auto joined = shared_groups_.join(group, policy, who); !joined) {
    refuse(who, model::Outcome::infra_failed, joined.error().what);
    return leave(group, who);
  }
  if (answer.verdict == Verdict::waits) return;
  if (const auto [at, is_new] = inside_.try_emplace(group, Inside{who}); !is_new && at->second.entered) {
    at->second.entered = false;  // it asks again: it is told again
  }
  look_at(group);
}

void Dispatcher::Loop::leave(const std::string& group, const model::Holder& who) {
  const auto next = groups_.leave(group, who);
  shared_groups_.leave(group, who);
  const auto inside = inside_.find(group);
  if (inside == inside_.end() || inside->second.who != who) return;
  if (next) {
    inside->second = Inside{*next};
    return look_at(group);
  }
  inside_.erase(inside);
  shared_groups_.release(group);
}

/// Lets in who is next as soon as no other process has the group, and gives way to newer members of others.
void Dispatcher::Loop::look_at(const std::string& group) {
  Inside& inside = inside_.at(group);
  const model::Holder who = inside.who;
  const auto sight = shared_groups_.look(group, who);
  if (!sight && inside.entered) return;  // it runs; what cannot be read now may be later
  if (!sight) {
    refuse(who, model::Outcome::infra_failed, sight.error().what);
    return leave(group, who);
  }
  if (inside.entered) {
    if (sight->newer_cancels && !std::exchange(inside.told_to_go, true)) {
      supersede(who, fmt::format("a newer one takes concurrency group `{}`", shown(group)));
    }
    return;
  }
  if (sight->newer_waits) {
    refuse(who, model::Outcome::cancelled, fmt::format("a newer one waits for concurrency group `{}`", shown(group)));
    return leave(group, who);
  }
  if (!sight->is_ours) {
    if (!std::exchange(inside.told_to_wait, true)) {
      log_.write(LogLevel::warn, "waiting", {{"for", "another slipway in the concurrency group " + shown(group)}});
    }
    return;
  }
  inside.entered = true;
  if (who.job)
    to_feed_.emplace_back(who.run, model::GroupEntered{*who.job});
  else
    to_feed_.emplace_back(who.run, model::RunBegins{});
}

void Dispatcher::Loop::look_at_groups(Time now) {
  if (inside_.empty() || !shared_groups_.are_shared() || os::Clock::now() < next_look_) return;
  next_look_ = os::Clock::now() + SharedGroups::kLookAgain;
  std::vector<std::string> names;  // looking may change the map
  for (const auto& [group, inside] : inside_) names.push_back(group);
  for (const std::string& group : names) {
    if (inside_.contains(group)) look_at(group);
  }
  feed_all(now);
}

void Dispatcher::Loop::end(Live& live) {
  const model::Run& run = live.run;
  if (!live.concurrency_group.empty()) leave(live.concurrency_group, {run.id, std::nullopt});
  if (live.ends)
    acts_.ends.emplace_back(live.ends, RunOutcome{run.id, run.number, run.outcome, run.exit_code, run.reason});
  std::erase_if(wakes_, [&](const auto& wake) { return wake.second == run.id; });
  done_.push_back(run.id);
}

/// A run that never came into the store still ends, and is told.
void Dispatcher::Loop::end_unstored(Submit&& command, const Error& error, Time now) {
  constexpr auto kOutcome = model::Outcome::infra_failed;
  const RunId& id = command.submission.run.id;
  log_.write(LogLevel::error, "run_not_stored", {{"run", id.value}, {"why", error.what}});
  const int exit_code = model::exit_code_of(kOutcome);
  acts_.notices.push_back(model::RunFinished{id, kOutcome, exit_code, error.what, now});
  if (command.ends) acts_.ends.emplace_back(command.ends, RunOutcome{id, 0, kOutcome, exit_code, error.what});
}

// --- persisting, acting ---

Result<void> Dispatcher::Loop::commit() {
  for (const RunId& id : touched_) {
    Live* live = live_of(id);
    if (live == nullptr) continue;
    std::sort(live->dirty.begin(), live->dirty.end());
    live->dirty.erase(std::unique(live->dirty.begin(), live->dirty.end()), live->dirty.end());
    for (const model::JobIndex job : live->dirty) batch_.jobs.push_back(row_of(live->run, job));
    live->dirty.clear();
  }
  touched_.clear();
  if (broken_ || batch_.empty()) {
    batch_ = {};
    return {};
  }
  Result<void> done;
  for (int i = 0; i < kCommitTries; ++i) {
    done = store_.commit(batch_);
    if (done || done.error().kind != ErrorKind::unavailable) break;
    log_.write(LogLevel::warn, "store_unavailable", {{"why", done.error().what}});
  }
  batch_ = {};
  return done;
}

void Dispatcher::Loop::act() {
  Acts acts = std::exchange(acts_, {});
  for (const RunId& id : done_) live_.erase(id);
  done_.clear();
  for (model::JobSpec& spec : acts.starts) executor_.start(std::move(spec), reports_);
  for (const model::StopAttempt& stop : acts.stops) executor_.stop(stop.attempt, stop.why, stop.promptness);
  for (model::Notice& notice : acts.notices) {
    if (auto* finished = std::get_if<model::RunFinished>(&notice)) count_tests(*finished);
    listener_.on_notice(notice);
  }
  for (auto& [answers, answer] : acts.answers) answers->push(std::move(answer));
  for (auto& [ends, outcome] : acts.ends) ends->push(std::move(outcome));
}

/// What they say is of the whole history, so of the store. A store that cannot be read costs a line, not the run.
void Dispatcher::Loop::count_tests(model::RunFinished& finished) {
  if (tested_.erase(finished.run) == 0 || broken_) return;
  const auto tests = store_.tests_of(finished.run, store::Store::TestDetail::outcomes);
  if (!tests) return log_.write(LogLevel::warn, "tests_not_counted", {{"why", tests.error().what}});
  for (const store::TestRow& test : *tests) finished.tests.add(test.result.outcome, model::judge(test.history));
}

/// Nothing can be persisted any more, so nothing may be decided: all ends, and the next start of a slipway sorts it
/// out.
void Dispatcher::Loop::break_down(const Error& error, Time now) {
  log_.write(LogLevel::error, "store_broken", {{"why", error.what}});
  broken_ = true;
  // What this round decided did not happen: its starts and its news are dropped, and ends are told anew below.
  for (const model::JobSpec& spec : acts_.starts) attempts_.erase(spec.attempt);
  Acts kept;
  for (auto& end : acts_.ends) {
    if (live_of(end.second.run) == nullptr) kept.ends.push_back(std::move(end));  // never came into the store
  }
  for (const auto& answer : acts_.answers) answer.first->close();
  acts_ = std::move(kept);
  for (const auto& [attempt, run] : attempts_) {
    acts_.stops.push_back({attempt, model::StopWhy::by_user, model::Promptness::at_once});
  }
  const std::string reason = fmt::format("the store is broken: {}", error.what);
  const int exit_code = model::exit_code_of(model::Outcome::infra_failed);
  for (const auto& [id, live] : live_) {
    acts_.notices.push_back(model::RunFinished{id, model::Outcome::infra_failed, exit_code, reason, now});
    if (live->ends)
      acts_.ends.emplace_back(live->ends,
                              RunOutcome{id, live->run.number, model::Outcome::infra_failed, exit_code, reason});
  }
  live_.clear();
  inside_.clear();
  shared_groups_.release_all();
  turn_.clear();
  wakes_.clear();
  done_.clear();
}

}  // namespace slipway::engine
