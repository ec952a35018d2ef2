#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "os/message_socket.h"
#include "sandbox/sandbox.h"
#include "wire/leash.h"

/// What the benchmarks of backends share.
namespace slipway::bench {

[[noreturn]] inline void give_up(const std::string& what) {
  fmt::print(stderr, "bench: {}\n", what);
  std::exit(1);
}

template <class T>
T must(Result<T> result, const char* doing) {
  if (!result) give_up(fmt::format("{}: {}", doing, result.error().what));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

inline model::JobSpec job_of(const SandboxId& id, model::Network network, const std::string& program) {
  model::JobSpec job;
  job.run = RunId("bench");
  job.job = job.definition = "bench";
  job.attempt = AttemptId(id.value);
  job.image = "host";
  job.network = network;
  model::StepSpec step;
  step.name = "true";
  step.action = model::Argv{{program}};
  step.working_dir = "/";
  job.steps.push_back(step);
  return job;
}

/// One sandbox, start to end, as the attempt driver does it. Its journal stays, as a job's does.
inline void one_sandbox(sandbox::SandboxBackend& backend, sandbox::SandboxSpec spec, const std::string& program,
                        const std::filesystem::path& journals) {
  const os::CallLimit limit = os::within(std::chrono::seconds(30));
  spec.id = SandboxId(new_id());
  sandbox::Started started = must(backend.start(spec, limit), "start");
  const std::string journal_path = journals / spec.id.value;
  const os::Fd journal(::open(journal_path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  const os::Fd ring(::memfd_create("ring", MFD_CLOEXEC));
  os::MessageSocket leash(std::move(started.leash));
  wire::Orders orders;
  orders.job = job_of(spec.id, spec.network, program);
  must(leash.send(wire::encode(wire::ToInit(orders)), {journal.get(), ring.get()}, limit), "orders");
  for (;;) {
    const os::Message message = must(leash.receive(limit), "leash");
    const wire::ToOwner said = must(wire::decode_to_owner(message.text), "message");
    if (std::holds_alternative<wire::Finished>(said)) break;
  }
  must(backend.wait(spec.id, limit), "wait");
  must(backend.usage(spec.id), "usage");
  must(backend.destroy(spec.id, limit), "destroy");
}

template <class F>
double seconds(const F& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace slipway::bench
