#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "init/own_directory.h"
#include "init/poller.h"
#include "init/step_process.h"
#include "wire/hook_json.h"
#include "wire/journal_json.h"

namespace slipway::init {

/// Hooks and plugins: steps of a phase (model::Phase) that are told where the job stands, and may answer what is to
/// change for the steps behind them (wire/hook_json.h). One thread.
class Hooks {
 public:
  /// Sets outputs and variables of the job, as a step's `slipway output` does: all of them or none.
  using SetVariables =
      std::function<Result<void>(std::uint16_t step, const std::vector<wire::payload::OutputVariable>& variables)>;
  /// All outlive this object.
  Hooks(Poller& poller, const OwnDirectory& runtime, const model::JobSpec& job, SetVariables set)
      : poller_(poller), runtime_(runtime), job_(job), set_(std::move(set)) {}
  ~Hooks();
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;

  /// Gives the command of a hook its context and the way to answer. What is returned lives until it is started.
  Result<os::Fd> equip(std::uint16_t step, const wire::HookContext& context, StepCommand& command) const;
  /// Reads what it answers as it comes: it never waits for us.
  void listen(std::uint16_t step, os::Fd pipe);
  /// The step has ended; of one that succeeded the changes hold from here on. Nothing to do for one that is no hook.
  /// `invalid`: why they are refused, all of them.
  Result<void> take_answer(std::uint16_t step, bool succeeded);

  /// What hooks have changed for a step so far: its own `env` stands above that.
  void apply(const model::StepSpec& step, StepCommand& command) const;

 private:
  struct Answer {
    os::Fd pipe;
    Poller::Token watch = Poller::kNone;
    std::string text;
  };
  static bool read_some(Answer& answer);

  Poller& poller_;
  const OwnDirectory& runtime_;
  const model::JobSpec& job_;
  SetVariables set_;
  std::map<std::uint16_t, Answer> answers_;
  std::map<std::string, std::string> env_;
};

}  // namespace slipway::init
