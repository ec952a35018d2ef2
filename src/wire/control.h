#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "wire/journal_json.h"
#include "wire/sandbox_json.h"
#include "wire/visits.h"

/// What a step and `slipway-init` say to each other over the step's control socket ($SLIPWAY_SOCKET, a unix stream).
///
/// Frame, both ways: 4 bytes length, little endian, then one JSON object. A client may send several requests on one
/// connection, one after the other; each gets one answer, in order. The socket itself says which step speaks.
///   {"do":"output","name":N,"value":V}          set an output of the job     → {}
///   {"do":"var","name":N,"value":V}             set a variable of the run    → {}
///   {"do":"mask","value":V}                     mask it from here on         → {"masked":true}
///   {"do":"trigger","json":TEXT}                ask for more jobs            → {}
///   {"do":"annotate","level":L,"message":M,"title":T,"file":F,"line":N}      → {}
///   {"do":"artifact","name":N,"paths":[...]}    collected when the job ends  → {}
///   {"do":"group","start":true|false,"name":N}                               → {}
///   {"do":"state","what":"is_job_running"|"job_result","job":J}              → the owner's answer
///   {"do":"state","what":"deploy_in_progress","environment":E}               → the owner's answer
///   {"do":"sandbox","argv":[...],"working_dir":D,"shares":[...],"outputs":[...]}
///                                     runs it beside the job (sandbox_json.h) → how it ended
///   {"do":"step","name":N,"argv":[...],"env":{K:V},"working_dir":D,"timeout_ms":T}
///                                     runs it as a step below this one → how it ended (sandbox_json.h), with "step",
///                                     its index, "outputs" that it set, "artifacts":[{"name","url"}] that it stored.
///                                     Without "env": the environment that this step began with
///   {"do":"changed_files","from":F,"to":T}  {"do":"git_info"}                → the owner's answer
///   {"do":"resume","how":"continue"|"retry"|"abort"}   only from a command that a person attached → {}
/// Answer: {"ok":true,"result":{...}} or {"ok":false,"error":TEXT,"kind":KIND}, KIND one of ErrorKind's words.
namespace slipway::wire::control {

inline constexpr std::size_t kMaxRequest = 1U << 20U;
inline constexpr std::size_t kMaxAnswer = 16U << 20U;
inline constexpr std::size_t kMaxName = 256;           ///< of outputs, variables, groups
inline constexpr std::size_t kMaxValue = 256U << 10U;  ///< of one output or variable
inline constexpr std::size_t kMaxSecret = 64U << 10U;
inline constexpr std::size_t kMaxPaths = 1000;
inline constexpr std::size_t kMaxStepName = 100;
inline constexpr std::size_t kMaxArguments = 10'000;
inline constexpr std::size_t kPrefixBytes = 4;

struct Set {
  payload::OutputVariable variable;
};
struct Mask {
  std::string value;
};
struct Trigger {
  std::string json;
};
struct Annotate {
  payload::Annotation annotation;
};
struct Artifact {
  std::string name;
  std::vector<std::string> paths;
};
struct Group {
  payload::Group group;
};
/// Only the owner of the sandbox can answer: `kind` and `json` as in wire::Request.
struct AskOwner {
  std::string kind, json;
};
/// Lives as long as its client: a connection that is closed before the answer ends the command. `step` is not set: the
/// socket says it.
struct Sandbox {
  SandboxRequest request;
};
/// As `Sandbox`: a connection that is closed before the answer ends the step, and so does the end of the step that
/// asks. It has the user and the sandbox of that step, and a log, a control socket and figures of its own.
struct RunStep {
  std::string name;
  std::vector<std::string> argv;
  std::optional<std::vector<std::string>> environment;  ///< `K=V`
  std::string working_dir;                              ///< absolute; empty: the source directory
  std::optional<Duration> timeout;
};
using Request = std::variant<Set, Mask, Trigger, Annotate, Artifact, Group, AskOwner, Sandbox, RunStep, wire::Resume>;

struct Answer {
  bool ok = false;
  std::string result = "{}";  ///< JSON, when ok
  ErrorKind kind = ErrorKind::internal;
  std::string error;
};

/// One job to be asked for, as the command line of `slipway trigger` can say it.
struct TriggeredJob {
  std::string name, run, condition;
  std::vector<std::string> depends_on;
  std::vector<std::pair<std::string, std::string>> env;
};
/// ... in the trigger format.
std::string trigger_json(const TriggeredJob& job);
/// `name`: of a job; of an environment for `deploy_in_progress`.
Request state_question(const std::string& what, const std::string& name);
Request changed_files_question(const std::string& from, const std::string& to);
/// The list of texts at `key` of an answer's result; empty when there is none.
std::vector<std::string> texts_in(std::string_view result, std::string_view key);

std::string encode(const Request& request);
/// `invalid` with a message for the step's author: sizes, names and words are all checked here.
Result<Request> decode_request(std::string_view text);

std::string encode(const Answer& answer);
Result<Answer> decode_answer(std::string_view text);

/// A name of an output, variable or artifact: letters, digits, `_`, `-`, `.`; not empty, not longer than kMaxName.
bool is_name(std::string_view text);

/// `text` with its length in front.
std::string frame(std::string_view text);

/// Takes frames off a byte stream. Never holds more than one frame of `most_bytes`.
class Unframer {
 public:
  explicit Unframer(std::size_t most_bytes) : most_bytes_(most_bytes) {}
  /// `exhausted` when a frame says that it is too long: the stream is of no more use.
  Result<void> feed(std::string_view bytes);
  bool has_frame() const;
  /// Not even the beginning of one is held.
  bool is_empty() const { return held_.empty(); }
  /// The next whole frame, if there is one.
  std::optional<std::string> next();
  /// How many more bytes may be fed without holding more than one frame and a prefix.
  std::size_t wanted() const;

 private:
  std::optional<std::size_t> length() const;
  std::size_t most_bytes_;
  std::string held_;
};

}  // namespace slipway::wire::control
