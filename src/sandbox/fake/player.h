#pragma once

#include <memory>
#include <optional>

#include "journal/writer.h"
#include "model/step_plan.h"
#include "os/message_socket.h"
#include "sandbox/fake/fake_backend.h"
#include "wire/leash.h"

namespace slipway::sandbox {

/// `slipway-init` of one fake sandbox, as far as the owner can see it. The backend's thread only.
class FakeBackend::Player {
 public:
  Player(os::Fd leash, Duration orphan_grace) : leash_(std::move(leash)), orphan_grace_(orphan_grace) {}

  int fd() const { return leash_.fd(); }
  /// Of one without an owner: when its grace is over. `fd` says nothing until it is adopted.
  std::optional<os::Deadline> waits_until() const { return waits_until_; }
  void adopt(os::Fd leash);

  /// Reads one message and does what it says. False: the sandbox has ended.
  bool advance();

 private:
  Result<bool> obey(os::Message message);
  Result<void> begin(wire::Orders orders, os::Message& message);
  Result<void> run_steps();
  Result<void> play_step(std::size_t index);
  Result<void> skip_step(const model::StepPlan::Skipped& skipped);
  Result<void> end_step(std::size_t index, model::StepResult result, std::string reason);
  Result<void> finish();
  Result<void> say(const wire::ToOwner& message);
  Result<void> greet();
  bool lose_owner();

  os::MessageSocket leash_;
  const Duration orphan_grace_;
  std::optional<os::Deadline> waits_until_;
  std::string note_;
  model::JobSpec job_;
  std::optional<model::StepPlan> plan_;
  std::optional<journal::Writer> journal_;
  bool is_service_ = false;              // its step goes on until it is cancelled
  std::optional<std::size_t> sleeping_;  // the step that waits to be cancelled
  model::AttemptReport report_;
};

}  // namespace slipway::sandbox
