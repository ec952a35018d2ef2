#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/options.h"
#include "cli/style.h"
#include "model/event.h"
#include "model/run.h"

namespace slipway::cli {

/// One workflow and what the event makes of it.
struct Planned {
  std::shared_ptr<const model::Workflow> workflow;
  model::TriggerDecision start;                     ///< of `on`; where the user named the file it starts in any case
  std::optional<model::Run> run;                    ///< none: it does not start
  std::map<std::string, std::string> known_images;  ///< by name: what it means on this machine, where that is known
};

/// What can be said of a job before anything ran.
struct Prospect {
  std::optional<bool> runs;  ///< none: depends on how others end
  std::string text;          ///< `runs`, `skipped`, `runs when test has succeeded`, `decided when test has ended`
  model::Trace trace;
};
Prospect prospect_of(const model::Run& run, model::JobIndex index);

/// `slipway plan`, and what `run --dry-run` shows: every workflow, why it starts or not, and what is known of its jobs.
/// Errors: a template that cannot be expanded (`--resolved`).
Result<std::string> show_plan(const std::vector<Planned>& planned, const PlanOptions& options, const Style& style);

/// `slipway explain JOB` on a plan: every decision about the job so far. `not_found` with the nearest job.
Result<std::string> explain_planned(const std::vector<Planned>& planned, const std::string& job, const Style& style);

/// `slipway graph`.
std::string show_graph(const std::vector<Planned>& planned, Format format);

}  // namespace slipway::cli
