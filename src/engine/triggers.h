#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/run.h"
#include "model/transitions.h"

namespace slipway::engine {

/// One trigger, understood.
struct Trigger {
  std::vector<model::AskedJob> jobs;  ///< a broken trigger is one entry with a `problem`. Never more than 64
  std::string operation;              ///< its `operation_id`
};

/// Understands the JSON of a trigger. Called on the dispatcher's thread.
class TriggerReader {
 public:
  virtual ~TriggerReader() = default;
  /// `trust`: how far who asks may be believed besides what the run knows of it.
  virtual Trigger read(const model::Run& run, const model::Job& by, const std::string& json, model::Trust trust) = 0;
};

/// A job of the project, found by name.
struct FoundJob {
  model::JobDefinition definition;
  std::string file;  ///< that it stands in
};

/// Reads the trigger format (docs/triggers.md): `{"jobs": [{"job_name": ..., "job_command": ...}]}`, or one job
/// object alone. A job with `job_command` or `run` is complete; another is looked up in the workflow's
/// templates, then by `find` (job files of the project), with what the trigger says on top (engine/trigger_job.h).
/// What is in neither comes from the job that asks: image, code, env, timeout, labels; never its secrets, and never
/// more trust than it has.
class JsonTriggerReader final : public TriggerReader {
 public:
  /// By a job's name, or the path of its file (it ends in `.yaml` or `.yml`); `not_found` where there is none.
  using Find = std::function<Result<FoundJob>(const std::string& name)>;
  /// `find` may be null: there are no job files.
  explicit JsonTriggerReader(Find find) : find_(std::move(find)) {}
  Trigger read(const model::Run& run, const model::Job& by, const std::string& json, model::Trust trust) override;

 private:
  Find find_;
};

}  // namespace slipway::engine
