#include "sandbox/fake/player.h"

#include <charconv>

#include "base/scope_exit.h"
#include "base/text.h"
#include "base/wall_clock.h"
#include "wire/journal_json.h"

namespace slipway::sandbox {

using journal::RecordType;
namespace payload = wire::payload;

namespace {

constexpr auto kTalkLimit = std::chrono::seconds(5);

// What a fake step does.
struct Act {
  int exit_code = 0;
  std::string prints;
  bool sleeps = false;
};

Act act_of(const model::Action& action) {
  const std::string text = std::visit(Overloaded{
                                          [](const model::Script& script) { return script.text; },
                                          [](const model::Argv& argv) { return join(argv.words, " "); },
                                      },
                                      action);
  const std::string_view whole = trim(text);
  const std::string_view line = trim(split(whole, '\n').back());
  Act act;
  if (line == "false") act.exit_code = 1;
  if (line == "sleep-forever") act.sleeps = true;
  if (line.starts_with("echo ")) act.prints = std::string(line.substr(5)) + "\n";
  if (line.starts_with("exit ")) {
    const std::string_view number = trim(line.substr(5));
    std::from_chars(number.data(), number.data() + number.size(), act.exit_code);
  }
  return act;
}

}  // namespace

bool FakeBackend::Player::advance() {
  auto message = leash_.receive(os::within(kTalkLimit));
  if (!message) return lose_owner();
  const Result<bool> goes_on = obey(*std::move(message));
  return goes_on && *goes_on;  // an error here is an init that died: the owner sees the leash close
}

// As init: without orders there is nothing to go on with.
bool FakeBackend::Player::lose_owner() {
  if (orphan_grace_ <= Duration(0) || !plan_) return false;
  waits_until_ = os::Clock::now() + orphan_grace_;
  return true;
}

void FakeBackend::Player::adopt(os::Fd leash) {
  leash_ = os::MessageSocket(std::move(leash));
  waits_until_.reset();
  (void)greet();  // an owner that is gone again is seen on the leash
}

Result<void> FakeBackend::Player::greet() {
  SW_CHECK(say(wire::Kept{{}, note_}));
  SW_CHECK(say(wire::Running{}));
  if (is_service_ && sleeping_) SW_CHECK(say(wire::Ready{}));
  return say(wire::Progress{journal_->offset()});
}

Result<bool> FakeBackend::Player::obey(os::Message message) {
  SW_TRY(wire::ToInit said, wire::decode_to_init(message.text));
  if (std::holds_alternative<wire::Inputs>(said)) return true;
  if (const auto* note = std::get_if<wire::Note>(&said)) {
    note_ = note->text;
    return true;
  }
  if (auto* orders = std::get_if<wire::Orders>(&said)) {
    SW_CHECK(begin(std::move(*orders), message));
  } else if (std::holds_alternative<wire::Cancel>(said) && plan_) {
    plan_->cancel();
    if (sleeping_) {
      const std::size_t step = *std::exchange(sleeping_, std::nullopt);
      plan_->finished(step, model::Outcome::cancelled, wall_now());
      SW_CHECK(end_step(step, {.outcome = model::Outcome::cancelled, .exit_code = 143}, "cancelled"));
    }
  }
  SW_CHECK(run_steps());
  return !(plan_ && plan_->is_done());
}

Result<void> FakeBackend::Player::begin(wire::Orders orders, os::Message& message) {
  if (plan_ || message.fds.empty()) return fail(ErrorKind::invalid, "orders came twice or without a journal");
  job_ = std::move(orders.job);
  is_service_ = orders.ready.has_value();
  SW_TRY(journal_, journal::Writer::create(std::move(message.fds.front())));
  report_.attempt = job_.attempt;
  report_.image = job_.image;
  report_.started = wall_now();
  report_.steps.resize(job_.steps.size());
  payload::AttemptStarted started{job_.run.value, job_.job, job_.attempt.value, job_.attempt_number, {}};
  for (std::size_t i = 0; i < job_.steps.size(); ++i) {
    started.steps.push_back(job_.steps[i].name);
    report_.steps[i].name = job_.steps[i].name;
  }
  SW_CHECK(journal_->append(RecordType::attempt_started, journal::kNoStep, 0, report_.started, encode(started)));
  plan_.emplace(job_.steps);
  return say(wire::Running{});
}

Result<void> FakeBackend::Player::run_steps() {
  while (plan_ && !sleeping_ && !plan_->is_done()) {
    const model::StepPlan::Decisions decisions = plan_->next(wall_now());
    for (const model::StepPlan::Skipped& skipped : decisions.skipped) SW_CHECK(skip_step(skipped));
    for (const std::size_t index : decisions.start) SW_CHECK(play_step(index));
    // A retry's backoff is not waited for: nothing real would change in the meantime.
    if (decisions.start.empty() && decisions.skipped.empty()) {
      if (!decisions.wake_at) break;
      const auto early = plan_->next(*decisions.wake_at);
      for (const std::size_t index : early.start) SW_CHECK(play_step(index));
    }
  }
  if (plan_ && plan_->is_done()) return finish();
  if (journal_) SW_CHECK(journal_->flush());
  return {};
}

Result<void> FakeBackend::Player::play_step(std::size_t index) {
  const model::StepSpec& step = job_.steps[index];
  const auto number = static_cast<std::uint16_t>(index);
  const Act act = act_of(step.action);
  report_.steps[index].started = wall_now();
  SW_CHECK(journal_->append(RecordType::step_started, number, 0, wall_now(),
                            encode(payload::StepStarted{step.name, {}, plan_->tries(index)})));
  if (!act.prints.empty()) {
    SW_CHECK(journal_->append(RecordType::output_stdout, number, 0, wall_now(), act.prints));
  }
  const bool serves = is_service_ && act.exit_code == 0;
  if ((act.sleeps || serves) && !sleeping_) {
    sleeping_ = index;
    return serves ? say(wire::Ready{}) : Result<void>();
  }
  const model::Outcome outcome = act.exit_code == 0 ? model::Outcome::succeeded : model::Outcome::failed;
  plan_->finished(index, outcome, wall_now());
  return end_step(index, {.outcome = outcome, .exit_code = act.exit_code},
                  act.exit_code == 0 ? "" : fmt::format("exit code {}", act.exit_code));
}

Result<void> FakeBackend::Player::end_step(std::size_t index, model::StepResult result, std::string reason) {
  result.name = job_.steps[index].name;
  result.started = report_.steps[index].started;
  result.finished = wall_now();
  result.tries = std::max(1, plan_->tries(index));
  report_.steps[index] = result;
  return journal_->append(RecordType::step_finished, static_cast<std::uint16_t>(index), 0, result.finished,
                          encode(payload::StepFinished{result, std::move(reason)}));
}

Result<void> FakeBackend::Player::skip_step(const model::StepPlan::Skipped& skipped) {
  report_.steps[skipped.step].started = wall_now();
  return end_step(skipped.step, {.outcome = model::Outcome::skipped}, skipped.reason);
}

Result<void> FakeBackend::Player::finish() {
  const model::StepPlan::Verdict verdict = plan_->verdict();
  report_.outcome = verdict.outcome;
  if (verdict.step) {
    const model::StepResult& decided = report_.steps[*verdict.step];
    report_.exit_code = decided.exit_code;
    report_.reason = fmt::format("step {}: {}", decided.name, to_string(decided.outcome));
  }
  report_.finished = wall_now();
  SW_CHECK(journal_->append(RecordType::attempt_finished, journal::kNoStep, 0, report_.finished,
                            encode(payload::AttemptFinished{report_})));
  SW_CHECK(journal_->close());
  return say(wire::Finished{journal_->offset()});
}

Result<void> FakeBackend::Player::say(const wire::ToOwner& message) {
  return leash_.send(wire::encode(message), {}, os::within(kTalkLimit));
}

}  // namespace slipway::sandbox
