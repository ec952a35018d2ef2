#include "engine/dispatcher.h"

#include "engine/loop.h"

namespace slipway::engine {

Dispatcher::Dispatcher(store::Store& store, Executor& executor, TriggerReader& triggers, model::Listener& listener,
                       Log& log, Options options)
    : loop_(std::make_unique<Loop>(store, executor, triggers, listener, log, std::move(options), *this)) {}

Dispatcher::~Dispatcher() {
  loop_->push(Cancel{RunId(), {model::StopWhy::by_user, model::Promptness::at_once, "slipway is closing"}});
  loop_->push(Close{});
}

Result<void> Dispatcher::submit(Submission submission) {
  if (!loop_->push(Submit{std::move(submission), nullptr}))
    return fail(ErrorKind::cancelled, "the dispatcher is closing");
  return {};
}

Result<void> Dispatcher::cancel(const RunId& run, model::CancelRequested request) {
  if (!loop_->push(Cancel{run, std::move(request)})) return fail(ErrorKind::cancelled, "the dispatcher is closing");
  return {};
}

Result<std::vector<RunOutcome>> Dispatcher::run_to_end(std::vector<Submission> submissions, const StopRequests& stops) {
  std::vector<RunId> ids;
  for (const Submission& submission : submissions) ids.push_back(submission.run.id);
  // Room for all: the dispatcher never waits for us.
  const auto ends = std::make_shared<Ends>(std::max<std::size_t>(1, ids.size()));
  for (Submission& submission : submissions) {
    if (!loop_->push(Submit{std::move(submission), ends}))
      return fail(ErrorKind::cancelled, "the dispatcher is closing");
  }
  const auto cancel_all = [&](model::Promptness promptness) {
    for (const RunId& id : ids) loop_->push(Cancel{id, {model::StopWhy::by_user, promptness, "cancelled by the user"}});
  };
  const std::stop_callback graceful(stops.graceful, [&] { cancel_all(model::Promptness::graceful); });
  const std::stop_callback at_once(stops.at_once, [&] { cancel_all(model::Promptness::at_once); });
  std::vector<RunOutcome> outcomes(ids.size());
  for (std::size_t done = 0; done < ids.size();) {
    for (RunOutcome& outcome : ends->pop(ids.size(), {})) {
      const auto at = static_cast<std::size_t>(std::find(ids.begin(), ids.end(), outcome.run) - ids.begin());
      outcomes[at] = std::move(outcome);
      ++done;
    }
  }
  return outcomes;
}

void Dispatcher::began(AttemptBegan report) { loop_->push(std::move(report)); }
void Dispatcher::advanced(const AttemptAdvanced& report) { loop_->push_if_room(report); }
void Dispatcher::asks(AttemptAsks report) { loop_->push(std::move(report)); }
void Dispatcher::ended(model::AttemptReport report) { loop_->push(std::move(report)); }

RunOutcome worst_of(const std::vector<RunOutcome>& outcomes) {
  RunOutcome worst{.outcome = model::Outcome::skipped};
  bool first = true;
  for (const RunOutcome& outcome : outcomes) {
    const bool is_worse = model::worse(worst.outcome, outcome.outcome) != worst.outcome;
    if (first || is_worse) worst = outcome;
    first = false;
  }
  return worst;
}

}  // namespace slipway::engine
