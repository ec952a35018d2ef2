#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "model/job_spec.h"
#include "wire/visits.h"

/// The leash: what the owner of a sandbox and its `slipway-init` say to each other, as JSON messages over
/// os::MessageSocket (one object a message: {"type": "...", ...}). End of file on the leash ends the sandbox, unless
/// `keep` came before: then it waits for another owner.
///
/// Order of events: owner sends `keep` or not, and `orders` (descriptors: [0] journal, [1] tail ring, then one a bundle
/// in `inputs`), after any number of `inputs` with the first bundles of a job that has more of them than one message
/// carries; init answers `running`, then any number of `progress` and `request`, a service's init once `ready`; last
/// `finished`, then it exits. In between people may attach, and a held job is resumed (visits.h). The init of a sandbox
/// beside a job's: `orders`, `running`, last `ended`.
///
/// Another owner, who connects to the socket that came with `keep`, hears `kept`, `running` and `ready` as they hold,
/// then every `request` that was not answered, but for `sandbox`: what those had begun ended with the owner.
namespace slipway::wire {

/// How long init packs what a job passes on, which is no part of the job's own timeout; and of a job that was stopped.
/// Its owner waits for it a little longer.
constexpr Duration kGatherLimit = std::chrono::hours(1);
constexpr Duration kGatherAfterStop = std::chrono::minutes(2);

/// A bundle (os/bundle.h) to be unpacked before the first step, with the rights of the job's user.
struct InputBundle {
  std::string path;            ///< absolute directory, created where missing
  bool keep_absolute = false;  ///< the bundle's paths are absolute (caches)
};

/// Where below its workspace a sandbox has what programs use to speak to their job, if it has it:
/// `include/slipway.hpp`, and the Python package in `python`, which is on the PYTHONPATH of its steps, behind their
/// own. (Rejected: /opt, where no mount point can be made in a read-only container.)
inline constexpr const char* kSdkInside = "/.slipway";
inline constexpr const char* kPythonInside = "/.slipway/python";

/// Journal and ring, before the bundles.
constexpr std::size_t kFixedFds = 2;
/// Of one job, over all messages.
constexpr std::size_t kMaxInputs = 500;

struct SecretValue {
  std::string name, value;
};

// --- owner to init ---
struct Orders {
  model::JobSpec job;
  std::vector<SecretValue> secrets;  ///< values of every secret the job may use; only ever in memory
  std::vector<InputBundle> inputs;
  std::vector<std::string> cache_news;    ///< what was found of the job's caches, for the journal
  std::optional<model::Readiness> ready;  ///< of a service: init says `ready` once this holds for its first step
  /// A sandbox beside a job's: `job` has one step and no secrets. There is no journal: the descriptors are [0] the
  /// step's standard output and [1] its standard error, and the last word is `ended`.
  bool sibling = false;
  std::vector<Breakpoint> breaks;
  Duration hold_limit{0};  ///< how long the job may be held each time
};
/// First of all: this sandbox outlives its owner, and waits so long for another. Descriptors: [0] a socket that listens
/// for that one, in a directory which nobody in the sandbox sees; then those that init keeps open for as long as it
/// lives, and hands over.
struct Keep {
  Duration orphan_grace{0};
  std::string estate;  ///< for the next owner; init does not look into it
};
/// Any time: what the next owner is to know of this one's work. In the place of what was said before.
struct Note {
  std::string text;
};
/// Before `orders`: bundles that are unpacked before those named there. Descriptors: one a bundle.
struct Inputs {
  std::vector<InputBundle> inputs;
};
struct Cancel {
  enum class Why { by_user, timeout, fail_fast, superseded, service_ended } why = Why::by_user;
  bool at_once = false;  ///< no grace
  std::string detail;    ///< for `service_ended`: which one, and how
};
/// Answer to `Request` of the same id; descriptors as the request says.
struct Reply {
  std::uint64_t id = 0;
  bool ok = false;
  std::string json;  ///< result, or {"error": "..."}
};
using ToInit = std::variant<Inputs, Orders, Cancel, Reply, Keep, Note, Attach, Detach, Resume>;

// --- init to owner ---
/// To an owner who is not the first one: the descriptors of `keep` but for the listening one.
struct Kept {
  std::string estate, note;
};
struct Running {};
/// A service can be used.
struct Ready {};
/// The journal has grown to this offset: sent at step borders, and at most every 20 ms in between.
struct Progress {
  std::uint64_t journal_bytes = 0;
};
/// What only the host can do. Kinds: `open_bundle` {"kind":"artifact"|"cache","name":..} (a cache's name is its key)
/// → {"bundle":id} and one descriptor to write it to; `close_bundle` {"bundle":id,"complete":bool} → {"url":..};
/// `trigger`: a trigger's JSON → {"refused":why, or empty};
/// `state` {"what":"is_job_running"|"job_result","job":..}; `changed_files` {"from","to"}; `git_info` {};
/// `sandbox` and `stop_sandbox`: sandbox_json.h. `sandbox` brings two descriptors, and its reply some.
struct Request {
  std::uint64_t id = 0;
  std::string kind;
  std::string json;
};
struct Finished {
  std::uint64_t journal_bytes = 0;
};
/// How the one step of a sibling ended.
struct Ended {
  model::Outcome outcome = model::Outcome::infra_failed;
  int exit_code = 0;
  std::string reason;  ///< why it is not `succeeded`
  std::uint64_t cpu_micros = 0, memory_peak_bytes = 0;
};
using ToOwner =
    std::variant<Running, Ready, Progress, Request, Finished, Ended, Kept, Attached, AttachEnded, Held, Resumed>;

std::string encode(const ToInit& message);
std::string encode(const ToOwner& message);
Result<ToInit> decode_to_init(std::string_view text);
Result<ToOwner> decode_to_owner(std::string_view text);

}  // namespace slipway::wire
