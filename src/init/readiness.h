#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "init/children.h"
#include "init/poller.h"
#include "init/step_process.h"
#include "model/definition.h"
#include "os/cgroup.h"

namespace slipway::init {

/// Finds out when a service can be used: each of the conditions of its `ready` that is given has to hold once, in any
/// order. Probes run one at a time, as children with the rights of the service's own step, 10 ms apart at first and
/// 250 ms in the end. One thread.
class Readiness {
 public:
  struct Parts {
    Poller& poller;
    Children& children;
    Identity identity;
    StepCommand probe;            ///< with an empty argv: how `command` is to be run
    const os::StepCgroup& group;  ///< that probes run in
  };
  struct Events {
    std::function<void()> ready;                   ///< called once
    std::function<void(std::string)> out_of_time;  ///< instead of it: what still did not hold
  };

  Readiness(model::Readiness wanted, Parts parts, Events events);
  ~Readiness();

  void start();
  /// What the service printed, masked, in order.
  void on_output(std::string_view bytes);

 private:
  void probe();
  void on_probe_end(const ChildEnd& end);
  void again();
  void check();
  Result<pid_t> start_probe();
  std::string missing() const;

  model::Readiness wanted_;
  Parts parts_;
  Events events_;
  std::string last_text_;  // the end of the output so far, shorter than the text that is looked for
  StepProcess command_;    // the probe that runs, while one by `command` does
  Duration pause_;
  Poller::Token timer_ = Poller::kNone, limit_ = Poller::kNone;
  pid_t probing_ = -1;
  bool done_ = false;
};

}  // namespace slipway::init
