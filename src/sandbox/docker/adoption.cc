#include "sandbox/adoption.h"

#include "sandbox/docker/docker_backend.h"

// The part of DockerBackend by which a sandbox comes from one owner to the next.
namespace slipway::sandbox::docker {

Result<void> DockerBackend::leave_estate(const SandboxSpec& spec, Record& record, const os::Fd& leash) {
  LiveContainer& container = *record.container;
  std::map<std::string, int> held;
  if (container.is_followed()) held["process"] = container.process();
  const std::map<std::string, std::string> facts = {{"container", container.container()},
                                                    {"pid", std::to_string(container.process_id())},
                                                    {"began", std::to_string(record.began)}};
  return bequeath(container.directory(), facts, held, spec.orphan_grace, leash);
}

Result<std::vector<SandboxId>> DockerBackend::list_orphans() { return orphans_in(sandboxes_.parent()); }

Result<Started> DockerBackend::adopt(const SandboxId& id, const os::CallLimit& limit) {
  SW_TRY(Adopted adopted, adopt_from(sandboxes_.parent(), id, limit));
  Estate& estate = adopted.estate;
  auto record = std::make_shared<Record>();
  record->id = id;
  SW_TRY(record->began, estate.number("began"));
  SW_TRY(const std::string container, estate.fact("container"));
  record->container = std::make_unique<LiveContainer>(engine_, container, std::move(adopted.directory));
  SW_CHECK(record->container->watch(limit));
  if (estate.held.contains("process")) {
    SW_TRY(const std::int64_t pid, estate.number("pid"));
    SW_TRY(os::Fd process, estate.take("process"));
    record->container->follow(static_cast<pid_t>(pid), std::move(process));
  }
  sandboxes_.add(record);
  return Started{id, std::move(adopted.leash), record->container->lost(), std::move(adopted.note)};
}

}  // namespace slipway::sandbox::docker
