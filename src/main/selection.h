#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/definitions.h"
#include "cli/options.h"
#include "cli/planned.h"
#include "main/event_file.h"
#include "model/event.h"
#include "model/plan.h"
#include "os/call_limit.h"
#include "source/snapshot.h"
#include "source/source.h"

/// From `slipway run|plan|explain|graph [FILE] [flags]` to planned runs: which code, which definitions, which event.
namespace slipway::program {

/// Everything that was looked up for one command line. Problems of the definitions are in `files`, not an error.
struct Selected {
  source::WorkingTree tree;        ///< the checkout that the user stands in
  source::SourceSpec source_spec;  ///< pinned
  bool is_foreign = false;         ///< code from elsewhere than `tree`
  source::Prepared source;         ///< the code that jobs get
  /// The checkout that the definitions are part of; none: `source`.
  std::optional<source::Prepared> checkout;
  model::Trust source_trust = model::Trust::trusted;    ///< of `source`
  model::Trust checkout_trust = model::Trust::trusted;  ///< of `checkout`
  std::vector<std::string> warnings;
  model::Event event;
  std::shared_ptr<source::Snapshot> facts;
  std::vector<cli::DefinitionFile> files;
  bool named_file = false;  ///< the user named what to run, so `on` is not asked
};

/// `file`: what `what` names as `--event-file`. Errors: `not_found` (no such file, revision, nothing below
/// `.slipway/`), `invalid`. `first_ref`: as of Variation.
Result<Selected> select(const cli::Selection& what, const std::optional<EventFile>& file,
                        const std::filesystem::path& directory, source::Sources& sources, const os::CallLimit& limit,
                        const std::string& first_ref = {});

/// The revision that code from elsewhere was asked for by.
const std::string& ref_of(const cli::Selection& what);

/// Asks `on` of every workflow (a named file starts in any case) and plans those that start. Errors: as of model::plan.
Result<std::vector<cli::Planned>> plan_all(const Selected& selected, const model::RunOptions& options, Time now);

}  // namespace slipway::program
