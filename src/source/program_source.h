#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "source/checkout_store.h"
#include "source/runner.h"
#include "source/source.h"

namespace slipway::source {

/// A program of the operator's that gets code: `slipway-source-KIND`. Protocol 1, told whole in docs/sources.md:
///
/// One JSON object on stdin, {"protocol":1,"action":"pin"|"fetch","location","revision"} and for `fetch` "directory",
/// empty and the only place it may write besides HOME and /tmp; one JSON object a line on stdout:
///   {"type":"progress","text"}                 for people; stderr does as well
///   {"type":"result","revision","branch","url"} the last; `pin` must name the exact revision
///   {"type":"error","kind","message"}          instead; kinds: invalid not_found denied unavailable exhausted
/// Exit code 0 with a result, anything else with an error. It runs as other fetching tools: with the network, without
/// the user's home, with the variables that begin with its kind in capitals (`P4...`) or `SLIPWAY_SOURCE_`.
class ProgramSource final : public Source {
 public:
  /// `readable`: what else it may see. Both references outlive it.
  ProgramSource(std::string kind, std::filesystem::path program, std::vector<std::filesystem::path> readable,
                const CheckoutStore& checkouts, Runner& runner)
      : kind_(std::move(kind)),
        program_(std::move(program)),
        readable_(std::move(readable)),
        checkouts_(checkouts),
        runner_(runner) {}

  std::string_view kind() const override { return kind_; }
  Result<SourceSpec> pin(const SourceSpec& spec, const os::CallLimit& limit) override;
  Result<Prepared> prepare(const SourceSpec& spec, const os::CallLimit& limit) override;

 private:
  struct Answer {
    std::string revision, branch, url;
  };
  Result<Answer> ask(const char* action, const SourceSpec& spec, const std::filesystem::path& directory,
                     const os::CallLimit& limit);

  std::string kind_;
  std::filesystem::path program_;
  std::vector<std::filesystem::path> readable_;
  const CheckoutStore& checkouts_;
  Runner& runner_;
};

/// `slipway-source-KIND` in one of the absolute directories of `path` (as $PATH). Empty: there is none.
std::filesystem::path find_source_program(const std::string& kind, const std::string& path);

}  // namespace slipway::source
