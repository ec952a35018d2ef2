#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "model/definition.h"
#include "model/test_results.h"

/// What one attempt is to do, with every template expanded and every default filled in: what the planner makes,
/// `slipway plan --resolved` shows, the worker drives and `slipway-init` carries out.
namespace slipway::model {

using Variables = std::vector<std::pair<std::string, std::string>>;  ///< order kept; the last of a name holds

struct StepSpec {
  std::string name;
  Phase phase = Phase::steps;
  Action action;
  std::vector<std::string> shell;  ///< argv put before the script's path, for a Script
  std::string working_dir;
  Variables env;                   ///< on top of the job's
  std::vector<SecretUse> secrets;  ///< on top of the job's
  RunAs run_as;
  std::optional<Duration> timeout, no_output_timeout;
  bool parallel = false;
  std::optional<std::vector<std::size_t>> depends_on;  ///< indexes of steps; no value: the order decides
  ExpressionPtr
      condition;  ///< names and facts already replaced by literals: only status functions are left. May be null
  bool continue_on_error = false;
  Retry retry{.attempts = 0, .on = {}};
  bool end_children = false;
  bool done_before = false;  ///< in an earlier run: counts as succeeded, and is not run
};

struct CacheSpec {
  std::string key;
  std::vector<std::string> restore;
  std::vector<std::string> paths;
};

struct ArtifactSpec {
  std::string name;
  std::vector<std::string> paths;
  ArtifactDefinition::When when = ArtifactDefinition::When::success;
  std::optional<Duration> expires;
};

/// A program beside the job, in a sandbox of its own on the job's private network.
struct ServiceSpec {
  std::string name;   ///< its host name for the job and the other services
  std::string image;  ///< as JobSpec::image
  Variables env;
  std::vector<std::string> command;  ///< argv; empty: what the image runs
  std::optional<Readiness> ready;    ///< no value: ready as soon as it runs
};

/// Where a job's code or source comes from when it is not simply the run's source.
struct CodeSpec {
  std::string url, ref;
  std::string path;      ///< below the checkout: a directory, of job code also the file to run; empty: all of it
  std::string revision;  ///< what `ref` was when the run was planned; empty: not looked up yet, or no `url`
};

/// What `url` and `ref` are for a whole run, once they were looked up.
struct CodePin {
  std::string url, ref, revision;
};

/// An artifact of an earlier job of the run, to be found at `/job/inputs/NAME`.
struct ArtifactUse {
  std::string name;
  std::string job;  ///< the instance that made it; empty: any job of the run
};

struct JobSpec {
  RunId run;
  std::string job;         ///< with instance: `test (gcc, 17)`
  std::string definition;  ///< name in the file: `test`
  std::string workflow;
  AttemptId attempt;
  int attempt_number = 1;

  std::string image;           ///< `host`, an absolute directory, or an image's name
  bool image_of_text = false;  ///< the job's text names it, not whoever runs it
  Network network = Network::nat;
  Resources resources;
  RunAs run_as;
  std::string workspace = "/job";
  bool read_only_root = false;
  bool nested = false;
  std::vector<std::string> devices;  ///< as written: `/dev/kvm`
  /// The only step runs the image's own entrypoint: its words, and its working directory where that is empty, are known
  /// once the image is there. `image_user`: and as the image's user, since the job names none.
  bool image_entrypoint = false, image_user = false;
  Checkout checkout;
  /// The source belongs to a user of its own: sandboxes beside the job's write and execute it, job code only reads it.
  /// So it is where a step says `run_as: source`.
  bool separated = false;
  std::optional<CodeSpec> ci_code, source_code;
  Trust text_trust = Trust::trusted;    ///< of the steps' text and of job code
  Trust source_trust = Trust::trusted;  ///< of what is checked out
  bool secrets_with_source = false;     ///< the operator accepts that untrusted code runs beside secrets
  bool code_entrypoint = false;  ///< the only step runs the file that `ci_code.path` names: its words come with it

  Variables env;
  std::vector<SecretUse> secrets;
  std::vector<StepSpec> steps;
  std::optional<Duration> timeout, no_output_timeout;
  Duration grace = std::chrono::seconds(10);  ///< between a polite stop and a kill
  std::vector<CacheSpec> cache;
  std::vector<ArtifactSpec> artifacts;
  std::vector<std::string> tests;  ///< globs of JUnit files, as an artifact's paths
  std::vector<ArtifactUse> uses_artifacts;
  bool restore_workspace = false;  ///< the source directory begins as the artifact that `--keep` made of it
  std::vector<ServiceSpec> services;
  std::vector<std::string> outputs;  ///< declared names
  std::string event_json;
  bool may_write_trusted_cache = false;
  bool stdout_triggers = false;  ///< the operator allows lines `::slipway-trigger::JSON` in what job code prints
  std::uint64_t log_head_bytes = 64ULL << 20U, log_tail_bytes = 16ULL << 20U;  ///< a step
};

/// The artifact that `--keep` makes of a job's source directory.
std::string kept_workspace_name(const std::string& job);

struct StepResult {
  std::string name;
  Outcome outcome = Outcome::skipped;
  int exit_code = 0;  ///< 128 + signal when one ended it
  Time started{}, finished{};
  std::uint64_t cpu_micros = 0, memory_peak_bytes = 0, io_read_bytes = 0, io_written_bytes = 0;  ///< 0: not known
  int tries = 1;
  std::optional<std::size_t> parent;  ///< of a child step: the index of the step that asked for it
};

/// JSON of reference trigger format, kept as text until the planner reads it.
struct TriggerRequest {
  std::string json;
};

/// How an attempt ended. Comes from the journal, so an adopter of the sandbox reports the same.
struct AttemptReport {
  AttemptId attempt;
  Outcome outcome = Outcome::infra_failed;
  int exit_code = 0;   ///< of the step that decided; 0 when none did
  std::string reason;  ///< for people: why it is not `succeeded`
  Time started{}, finished{};
  std::vector<StepResult> steps;
  std::map<std::string, std::string> outputs;
  std::map<std::string, std::string> vars;
  std::vector<TriggerRequest> triggers;
  std::vector<std::string> artifacts;  ///< names stored
  std::vector<TestResult> tests;
  Resources resources;  ///< what the job could have at most
  std::string image;    ///< as it was pinned: `docker.io/library/debian@sha256:...`; empty: it never came to that
  std::uint64_t journal_bytes = 0;
  /// It took in an artifact or a cache that untrusted source may have written: what it asks for is not trusted.
  bool took_untrusted = false;
};

}  // namespace slipway::model
