#include "init/child_steps.h"

#include <memory>

namespace slipway::init {

ControlServer::OnGone ChildSteps::run(std::uint16_t parent, wire::control::RunStep request,
                                      const ControlServer::Respond& respond) {
  // Known once it runs, and it may have ended by then.
  const auto index = std::make_shared<std::size_t>(parts_.steps.results().size());
  const auto on_end = [this, index, respond](const model::StepResult& result, const std::string& reason) {
    const wire::Ended end{result.outcome, result.exit_code, reason, result.cpu_micros, result.memory_peak_bytes};
    store(static_cast<std::uint16_t>(*index), [this, index, end, respond](const Bundles::Stored& stored) {
      wire::ChildLeft left{*index, parts_.requests.outputs_of(static_cast<std::uint16_t>(*index)), {}};
      for (const wire::payload::Artifact& artifact : stored) left.artifacts.emplace_back(artifact.name, artifact.url);
      respond({true, wire::ended_json(end, left), {}, {}});
    });
  };
  const auto started = parts_.steps.run_child(parent, std::move(request), on_end);
  if (started) return [this, index] { parts_.steps.abandon_child(*index); };
  respond({false, "{}", started.error().kind, started.error().what});
  return nullptr;
}

void ChildSteps::store(std::uint16_t step, std::function<void(const Bundles::Stored&)> then) {
  std::deque<BundleTask> tasks;
  for (AskedArtifact& asked : parts_.requests.take_artifacts(step)) {
    auto task = parts_.requests.task_of(asked, parts_.workspace);
    if (task) tasks.push_back(std::move(*task));
  }
  if (tasks.empty()) return then({});
  parts_.bundles.collect(parts_.identity, std::move(tasks), std::move(then));
}

}  // namespace slipway::init
