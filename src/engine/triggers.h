#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/run.h"
#include "model/transitions.h"

namespace slipway::engine {

/// Understands the JSON of a trigger. Called on the dispatcher's thread.
class TriggerReader {
 public:
  virtual ~TriggerReader() = default;
  /// One entry a job asked for; a broken trigger is one entry with a `problem`. Never more than 64.
  virtual std::vector<model::AskedJob> read(const model::Run& run, const model::Job& by, const std::string& json) = 0;
};

/// Reads the trigger format of the docs: `{"jobs": [{"job_name": ..., "job_command": ...}]}`, or one job object alone.
/// A job with `job_command` or `run` is complete; another is looked up in the workflow's templates, then by `find`
/// (job files of the project), with its `env` on top. What a job leaves out comes from the job that asks: image, env,
/// timeout, labels; never its secrets.
class JsonTriggerReader final : public TriggerReader {
 public:
  /// By name; `not_found` where there is none.
  using Find = std::function<Result<model::JobDefinition>(const std::string& name)>;
  /// `find` may be null: there are no job files.
  explicit JsonTriggerReader(Find find) : find_(std::move(find)) {}
  std::vector<model::AskedJob> read(const model::Run& run, const model::Job& by, const std::string& json) override;

 private:
  Find find_;
};

}  // namespace slipway::engine
