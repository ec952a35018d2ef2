#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "model/job_spec.h"
#include "objects/objects.h"
#include "os/bundle.h"
#include "os/call_limit.h"
#include "os/fd.h"

namespace slipway::worker {

/// What a job left for others. Its content is a bundle (os/bundle.h) in the object store.
struct Artifact {
  RunId run;
  std::string job;  ///< the instance that made it
  AttemptId attempt;
  std::string name;
  objects::Digest digest;
  std::uint64_t files = 0, bytes = 0;  ///< of the content
  Time created{};
  std::optional<Time> expires;
  bool untrusted = false;  ///< untrusted source could write it: a job with secrets must not take it in
};

/// The artifacts of runs.
///
/// One small file each, `RUNS/RUN/artifacts/HASH.json` (HASH of job and name), replaced whole: jobs of one run store at
/// once without a lock, and a crash leaves an artifact noted or not. A later attempt of a job replaces its own.
/// Any thread; several processes.
class Artifacts {
 public:
  /// Names are file names to their readers: 1 to 128 letters, digits, `.`, `_`, `-`, ` `, `+`, `@`, `(`, `)`, `,`, not
  /// beginning with `.` or `-`.
  static Result<void> check_name(std::string_view name);

  /// `objects` must outlive this and hold artifacts only, since `sweep` removes what no artifact names. `runs`: the
  /// directory of all runs, with one of its own for each.
  Artifacts(objects::Objects& objects, std::filesystem::path runs) : objects_(objects), runs_(std::move(runs)) {}

  /// Where the sandbox writes the bundle.
  Result<std::unique_ptr<objects::Upload>> begin() { return objects_.begin(kMostBytes); }

  /// Checks the bundle (all of it), keeps it and notes it. Of `facts`, digest, files and bytes are filled in.
  /// `invalid`: a broken or hostile bundle, or a bad name; nothing is noted then.
  Result<Artifact> store(Artifact facts, objects::Upload& upload, const os::CallLimit& limit);

  /// Notes one of another run as one of `run` too. `not_found`: its content is gone.
  Result<void> share(Artifact stored, const RunId& run, const os::CallLimit& limit) const;

  /// By job, then name. A run without any: empty.
  Result<std::vector<Artifact>> list(const RunId& run) const;

  /// The one that `use` means; without a job, that of any job of the run. `not_found` says which there are; `invalid`
  /// when several jobs made one of that name.
  Result<Artifact> find(const RunId& run, const model::ArtifactUse& use) const;

  /// Its bundle, for `wire::Orders`.
  Result<os::Fd> open(const Artifact& artifact) const;

  /// Unpacks into `directory` (created where missing) for a user. Never writes outside it or through a link.
  Result<os::BundleReport> extract(const Artifact& artifact, const std::filesystem::path& directory) const;
  Result<std::vector<os::BundleEntry>> content(const Artifact& artifact) const;

  struct Swept {
    std::vector<Artifact> expired;
    std::uint64_t freed_bytes = 0;
  };
  /// Forgets what expired by `now`, over all runs, and removes content that no artifact of any run has any more.
  /// What another process is storing now stays: content is put and noted under a lock that this takes alone.
  Result<Swept> sweep(Time now, const os::CallLimit& limit);

 private:
  static constexpr std::uint64_t kMostBytes = 64ULL << 30U;
  // Shared by who stores, alone for a sweep. Its name is no run's.
  std::filesystem::path lock_path() const { return runs_ / ".artifacts.lock"; }
  objects::Objects& objects_;
  std::filesystem::path runs_;
};

}  // namespace slipway::worker
