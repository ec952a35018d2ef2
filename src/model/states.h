#pragma once

#include <optional>
#include <string_view>

/// The states of runs and jobs by name; docs/states.md shows the same with its reasons.
namespace slipway::model {

/// Where a job instance is. The one table of states.
///
/// | state      | means                                              | leaves by                                    |
/// | waiting    | something it depends on has not ended              | the last dependency's end → held, ready,      |
/// |            |                                                    | finished                                      |
/// | held       | decided to run; its matrix is at max_parallel, or  | a place is free → ready;                      |
/// |            | its concurrency group is taken                     | cancelled, fail_fast → finished               |
/// | ready      | in the queue for a slot                            | start_next → starting; cancelled → finished   |
/// | starting   | an attempt was given to an executor                | AttemptRuns → running; as running             |
/// | running    | the executor said that it runs                     | AttemptEnded → backing_off or finished        |
/// | backing_off| the last attempt failed, another will follow       | Tick at retry_at → held, ready; cancelled     |
/// | finished   | has its outcome                                    | never                                         |
enum class JobState { waiting, held, ready, starting, running, backing_off, finished };
std::string_view to_string(JobState state);
std::optional<JobState> job_state_of(std::string_view text);

/// Why an attempt is stopped.
enum class StopWhy { by_user, timeout, fail_fast, superseded };
std::string_view to_string(StopWhy why);
/// at_once: no grace.
enum class Promptness { graceful, at_once };

/// planned: made, and not begun; its own concurrency group may hold it back.
enum class RunState { planned, running, finished };
std::string_view to_string(RunState state);
std::optional<RunState> run_state_of(std::string_view text);

}  // namespace slipway::model
