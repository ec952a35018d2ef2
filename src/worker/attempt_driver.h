#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "model/job_spec.h"
#include "os/call_limit.h"
#include "sandbox/sandbox.h"
#include "wire/leash.h"
#include "worker/artifacts.h"
#include "worker/attempt_control.h"
#include "worker/caches.h"
#include "worker/image_pins.h"

namespace slipway::worker {

/// Plugins of job code, by their places in the sandbox.
struct Plugins {
  std::string directory;  ///< of the job code
  std::vector<std::string> files;
  std::vector<model::Phase> phases;  ///< that one of them may take part in
};

/// The source as the sandbox is to see it.
struct PreparedSource {
  std::vector<sandbox::Mount> mounts;
  /// What a sandbox beside the job's sees of it, besides the mount `of_source` that the two share: an overlay of its
  /// own where nothing is shared, and what else of the source nobody may change.
  std::vector<sandbox::Mount> sibling_mounts;
  model::Variables env;                      ///< GIT_REF, GIT_COMMIT, GIT_BRANCH: also for sandboxes beside the job's
  model::Variables job_env;                  ///< for the job alone: GIT_URL
  std::vector<std::string> code_entrypoint;  ///< what `JobSpec::code_entrypoint` runs
  Plugins plugins;
};

/// What an attempt needs of the process around it. Called on the thread that drives the attempt; several attempts
/// call at once.
class AttemptHost {
 public:
  virtual ~AttemptHost() = default;
  virtual Result<PreparedSource> prepare_source(const model::JobSpec& job, const os::CallLimit& limit) = 0;
  /// The values of the job's secrets. They stay in memory. `not_found` names the one that is missing.
  virtual Result<std::vector<wire::SecretValue>> secrets(const model::JobSpec& job) = 0;
  virtual CacheScopes cache_scopes(const model::JobSpec& job) = 0;
  /// What people are to know and no step printed: a cache that was found, saved or evicted.
  virtual void tell(const model::JobSpec& job, const std::string& text) = 0;
  /// The same of a service of the job. On the service's thread.
  virtual void tell_of_service(const model::JobSpec& job, const std::string& text) = 0;
  /// How the making of the job's image goes on: a few times a second at most.
  virtual void image_progress(const model::JobSpec& job, const sandbox::ImageNews& news) = 0;
  virtual void started(const model::JobSpec& job, const std::filesystem::path& journal) = 0;
  virtual void progress(const model::JobSpec& job, std::uint64_t journal_bytes) = 0;
  /// The job waits for a person, who is to be told how to come in.
  virtual void held(const model::JobSpec& job, const wire::Held& held) = 0;
  /// Answers a request that init cannot (`state`, `changed_files`, `git_info`) with JSON.
  virtual Result<std::string> answer(const model::JobSpec& job, const std::string& kind, const std::string& json,
                                     const os::CallLimit& limit) = 0;
  /// The job asks for jobs, by the JSON of a trigger. `took_untrusted`: as AttemptReport's. Answers with
  /// wire::trigger_answer_json, also where they are refused; errors: nobody can say now, it is looked at in the end.
  virtual Result<std::string> trigger(const model::JobSpec& job, const std::string& json, bool took_untrusted,
                                      const os::CallLimit& limit) = 0;
};

struct DriverParts {
  sandbox::SandboxBackend& sandboxes;
  Artifacts& artifacts;
  Caches& caches;
  AttemptHost& host;
  Log& log;
  std::filesystem::path runs_dir;  ///< journals lie at runs_dir/RUN/ATTEMPT.journal
  ImagePins& pins;                 ///< of the run
  /// How long a job without services runs on when this process dies, for another to `resume` it. Not 0 only where
  /// sandbox::Capabilities::no_adoption is empty.
  Duration orphan_grace{0};
};

/// What makes an attempt a service (services.h) and not a job.
struct ServiceRole {
  model::Readiness ready;
  sandbox::PrivateNetwork network;
  std::function<void()> on_ready;  ///< it can be used from here on; on the thread that drives it
};

/// Drives one attempt from its orders to its report; blocks the calling thread for as long as the job runs.
///
/// Never fails: whatever goes wrong around the job is `infra_failed` with the reason. When it returns, the sandbox
/// is gone and the journal is complete. The owner's death in between leaves nothing running (the leash), or what waits
/// for the next one (`DriverParts::orphan_grace`).
class AttemptDriver {
 public:
  explicit AttemptDriver(DriverParts parts) : parts_(parts) {}

  /// `role`: of a service; null for a job.
  model::AttemptReport drive(const model::JobSpec& job, AttemptControl& control, const ServiceRole* role = nullptr);

  /// Goes on with an attempt that a process which is dead had begun to drive: takes its sandbox over, or reads from
  /// the journal how it ended meanwhile. It is driven as `drive` does from there, but for new sandboxes beside it:
  /// those are refused. `job` as it was given then. An error leaves it alone: `conflict`, another process drives it;
  /// else, it may be tried again.
  Result<model::AttemptReport> resume(const model::JobSpec& job, AttemptControl& control);

 private:
  struct End;
  Result<End> try_resume(const model::JobSpec& job, AttemptControl& control, Result<sandbox::Started> adopted);
  Result<End> end_of(const model::JobSpec& job, const std::filesystem::path& journal, const Result<void>& served,
                     bool was_told_to_stop, const std::function<void()>& remove);
  std::function<void()> removal_of(const SandboxId& sandbox);
  model::AttemptReport close(const model::JobSpec& job, Result<End> end, Time began);
  Result<End> try_drive(const model::JobSpec& job, AttemptControl& control, const ServiceRole* role);
  std::string how_it_was_lost(const Error& error, const SandboxId& sandbox);
  Result<sandbox::ImageFacts> prepare_image(const model::JobSpec& job, AttemptControl& control);

  DriverParts parts_;
};

}  // namespace slipway::worker
