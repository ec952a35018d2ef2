#pragma once

#include <string>

#include "init/bundles.h"
#include "init/control_server.h"
#include "init/identity.h"
#include "init/step_requests.h"
#include "init/step_runner.h"

namespace slipway::init {

/// Steps below steps, as their programs ask for them (wire/control.h, RunStep): runs each, stores the artifacts that it
/// asked for when it has ended, and answers. One thread.
class ChildSteps {
 public:
  /// All outlive this object.
  struct Parts {
    StepRunner& steps;
    StepRequests& requests;
    Bundles& bundles;
    const Identity& identity;  ///< of the job, with whose rights files are stored
    const std::string& workspace;
  };

  explicit ChildSteps(Parts parts) : parts_(parts) {}

  ControlServer::OnGone run(std::uint16_t parent, wire::control::RunStep request,
                            const ControlServer::Respond& respond);

 private:
  void store(std::uint16_t step, std::function<void(const Bundles::Stored&)> then);

  Parts parts_;
};

}  // namespace slipway::init
