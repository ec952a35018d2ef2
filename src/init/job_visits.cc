#include <utility>

#include <fmt/format.h>

#include "init/job.h"

/// Of Job: people who look into it, and how it waits for them.
namespace slipway::init {

void Job::on_held(std::size_t step, const StepRunner::Hold& hold) {
  at_border_ = true;
  if (timeout_ != Poller::kNone) {
    timeout_left_ = std::chrono::duration_cast<Duration>(timeout_at_ - os::Clock::now());
    poller_.cancel(std::exchange(timeout_, Poller::kNone));
  }
  poller_.cancel(hold_limit_);
  hold_limit_ = poller_.at(os::Clock::now() + orders_.hold_limit, [this] {
    stop(model::Outcome::cancelled,
         fmt::format("it was held for {}, and nobody said how it goes on", to_short_text(orders_.hold_limit)),
         orders_.job.grace);
  });
  tell_held(step, hold);
}

void Job::tell_held(std::size_t step, const StepRunner::Hold& hold) {
  records_->flush();  // who hears of it reads what led to it
  owner_.send(
      wire::Held{records_->masked(orders_.job.steps[step].name), hold.why, hold.end.has_value(), orders_.hold_limit});
}

/// Another owner is told of what there is, and knows nobody who came through the one before.
void Job::on_adopted() {
  told_bytes_ = 0;
  attachments_->close_all("the slipway that it went through has died");
  for (const auto& [step, hold] : steps_->held()) tell_held(step, hold);
}

Result<void> Job::resume(wire::Resume how) {
  if (phase_ != Phase::steps || !steps_->is_held()) return fail(ErrorKind::conflict, "the job is not held");
  if (how == wire::Resume::abort) {
    records_->notice(journal::kNoStep, "resumed", "aborted by who looked into it");
    stop(model::Outcome::cancelled, "aborted while it was held", orders_.job.grace);
    return {};
  }
  if (how == wire::Resume::retry && !steps_->can_retry()) {
    return fail(ErrorKind::conflict, "the step that the job is held at has not run yet: `continue` runs it");
  }
  records_->notice(journal::kNoStep, "resumed", fmt::format("goes on: {}", to_string(how)));
  at_border_ = true;
  end_hold(how);  // first: what goes on may be held again at once
  steps_->resume(how);
  return {};
}

/// Its times run on from here. Nothing to do where it is not held.
void Job::end_hold(wire::Resume how) {
  if (!steps_ || !steps_->is_held()) return;
  poller_.cancel(std::exchange(hold_limit_, Poller::kNone));
  quiet_since_ = os::Clock::now();
  owner_.send(wire::Resumed{how});
  if (timeout_left_) watch_timeout(*std::exchange(timeout_left_, std::nullopt));
}

Result<Attachments::Place> Job::place_of_visitor(const std::string& socket) const {
  if (phase_ != Phase::unpacking && phase_ != Phase::steps) {
    return fail(ErrorKind::conflict, "the steps of the job have ended");
  }
  if (orders_.job.steps.empty()) return fail(ErrorKind::conflict, "the job has no steps");
  Attachments::Place place;
  place.step = steps_->current();
  place.name = records_->masked(orders_.job.steps[place.step].name);
  SW_TRY(place.surroundings, steps_->surroundings(place.step, socket));
  return place;
}

/// Who is attached speaks for the step whose surroundings it has, and says how a job that is held goes on.
ControlServer::OnGone Job::serve_control(std::uint16_t socket, wire::control::Request request,
                                         const ControlServer::Respond& respond) {
  const bool is_visitor = socket >= Attachments::kFirstSocket;
  const auto* how = std::get_if<wire::Resume>(&request);
  if (!is_visitor || how == nullptr) {
    const std::uint16_t step = is_visitor ? attachments_->step_of(socket) : socket;
    // What it printed before stands before what it asks for; but a mask may still cover what is in the pipe.
    if (!std::holds_alternative<wire::control::Mask>(request)) output_->catch_up(step);
    auto* const below = std::get_if<wire::control::RunStep>(&request);
    return below != nullptr ? child_steps_->run(step, std::move(*below), respond)
                            : requests_->handle(step, std::move(request), respond);
  }
  const auto resumed = resume(*how);
  respond(resumed ? wire::control::Answer{true, "{}", {}, {}}
                  : wire::control::Answer{false, "{}", resumed.error().kind, resumed.error().what});
  return nullptr;
}

}  // namespace slipway::init
