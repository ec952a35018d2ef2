#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/planned.h"
#include "model/job_spec.h"
#include "os/call_limit.h"
#include "os/guarded.h"
#include "source/source.h"

namespace slipway::program {

/// Job code and source from other places than the run's source (`ci_code`, `source_code`): each looked up once, so that
/// all jobs of a command line get the same. Any thread.
class JobCode {
 public:
  /// `sources` outlives it. `state_dir`: what Slipway keeps for itself, no place for code.
  JobCode(source::Sources& sources, std::filesystem::path state_dir)
      : sources_(sources), state_dir_(std::move(state_dir)) {}

  /// Looks up what the planned jobs name: into the options of their runs, and into their decisions, which the run's
  /// record keeps. A `ref` that hangs on outputs is looked up when its job starts.
  /// Errors: the place in the file in front, else as of Sources::pin.
  Result<void> pin(std::vector<cli::Planned>& planned, const os::CallLimit& limit);

  /// Code with a `url`, and what it was looked up as.
  struct Found {
    source::SourceSpec spec;
    source::Prepared code;
  };
  Result<Found> prepare(const model::CodeSpec& wanted, const model::Checkout& checkout, model::Trust trust,
                        const os::CallLimit& limit);

 private:
  Result<void> pin_one(model::Run& run, const model::CodeSpec& code, std::string_view what, model::Trace& because,
                       const os::CallLimit& limit);
  Result<source::SourceSpec> look_up(const model::CodeSpec& wanted, const os::CallLimit& limit);

  using Key = std::pair<std::string, std::string>;  // url, ref
  source::Sources& sources_;
  std::filesystem::path state_dir_;
  os::Guarded<std::map<Key, source::SourceSpec>> known_;
};

/// What `path` names below a checkout: reached through no link (`denied`), and there (`not_found`).
struct CodePlace {
  std::filesystem::path directory;  ///< to be mounted: `path` itself, or where it names a file the whole checkout
  bool is_file = false;
};
Result<CodePlace> place_of(const std::filesystem::path& checkout, const std::string& path);

/// How the file `path` below `checkout` is run once it lies at `inside`: by its `#!` line, else as a program where it
/// is one, else by its extension. `invalid`: none of these.
Result<std::vector<std::string>> words_to_run(const std::filesystem::path& checkout, const std::string& path,
                                              const std::string& inside);

/// `ci_code https://git.example.org/ci.git main`, for people and records; without credentials.
std::string shown_code(std::string_view what, const model::CodeSpec& code);

}  // namespace slipway::program
