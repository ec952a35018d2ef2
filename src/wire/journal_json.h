#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/job_spec.h"

/// Payloads of the journal's records (journal/record.h), one JSON object each; output, truncation and checkpoint
/// records hold bytes instead. Keys are the members' names; times and durations are integers in µs; absent keys are
/// defaults, unknown keys are ignored, so that an older reader can read a newer journal.
namespace slipway::wire::payload {

struct AttemptStarted {
  std::string run, job, attempt;
  int number = 1;
  std::vector<std::string> steps;  ///< names, by index; those of child steps come behind them as they start
};

struct StepStarted {
  std::string name;
  std::string command;                ///< the script's first line or the argv, for people
  int attempt = 1;                    ///< of the step: more than 1 after a retry
  std::optional<std::size_t> parent;  ///< of a child step: the index of the step that asked for it
};

struct StepFinished {
  model::StepResult result;
  std::string reason;       ///< why it is not `succeeded`; why it was skipped
  bool will_retry = false;  ///< another `step_started` of the same step follows
  bool failure_allowed = false;
};

/// The trigger as the job gave it (reference trigger format); the planner reads it.
struct Trigger {
  std::string json;
};

struct OutputVariable {
  enum class Kind { output, var } kind = Kind::output;
  std::string name, value;
};

struct Annotation {
  enum class Level { notice, warning, error } level = Level::notice;
  std::string title, message, file;
  int line = 0;  ///< 0: unknown, as the two below
  int column = 0, end_line = 0;
  bool printed = false;  ///< it stands in the step's output, where a reader of that sees it (wire/log_marks.h)
};

struct Artifact {
  std::string name;
  enum class Kind { artifact, cache } kind = Kind::artifact;
  std::uint64_t files = 0, bytes = 0;
  std::string url;                   ///< where the owner stored it
  std::vector<std::string> refused;  ///< paths not taken, and why
};

struct SecretRegistered {
  std::string name;  ///< empty: registered at run time
};

struct ResourceSample {
  std::uint64_t cpu_micros = 0, memory_bytes = 0, io_read_bytes = 0, io_written_bytes = 0;
};

struct Group {
  bool start = true;
  std::string name;
};

struct Notice {
  std::string code;  ///< stable, e.g. `weak_secret`, `secret_in_output`, `not_started`
  std::string message;
};

/// Some of a job's test results.
struct Tests {
  std::vector<model::TestResult> results;
};

/// Triggers, output variables and test results are records of their own; `report` repeats what decides and what passes
/// on. Triggers and tests are too large for that: `triggers` and `tests` say how many records of them to look for.
struct AttemptFinished {
  model::AttemptReport report;
  std::uint64_t triggers = 0;
  std::uint64_t tests = 0;
};

std::string encode(const AttemptStarted& payload);
std::string encode(const StepStarted& payload);
std::string encode(const StepFinished& payload);
std::string encode(const Trigger& payload);
std::string encode(const OutputVariable& payload);
std::string encode(const Annotation& payload);
std::string encode(const Artifact& payload);
std::string encode(const SecretRegistered& payload);
std::string encode(const ResourceSample& payload);
std::string encode(const Group& payload);
std::string encode(const Notice& payload);
std::string encode(const Tests& payload);
std::string encode(const AttemptFinished& payload);

/// `decode<payload::StepStarted>(record.payload)`. `invalid`: not JSON, or a value of the wrong type.
template <class T>
Result<T> decode(std::string_view text);

template <>
Result<AttemptStarted> decode(std::string_view text);
template <>
Result<StepStarted> decode(std::string_view text);
template <>
Result<StepFinished> decode(std::string_view text);
template <>
Result<Trigger> decode(std::string_view text);
template <>
Result<OutputVariable> decode(std::string_view text);
template <>
Result<Annotation> decode(std::string_view text);
template <>
Result<Artifact> decode(std::string_view text);
template <>
Result<SecretRegistered> decode(std::string_view text);
template <>
Result<ResourceSample> decode(std::string_view text);
template <>
Result<Group> decode(std::string_view text);
template <>
Result<Notice> decode(std::string_view text);
template <>
Result<Tests> decode(std::string_view text);
template <>
Result<AttemptFinished> decode(std::string_view text);

std::string_view to_string(Annotation::Level level);
std::optional<Annotation::Level> annotation_level_of(std::string_view text);

}  // namespace slipway::wire::payload
