#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "cli/configuration.h"
#include "source/archive_source.h"
#include "source/checkout_store.h"
#include "source/runner.h"
#include "source/source.h"

namespace slipway::program {

/// Every way to get code that this build knows, and what they share: the runner of their tools and the checkouts.
/// Below `state_dir`/source: `mirrors/`, `downloads/`, `checkouts/`.
class SourceKit {
 public:
  enum class Progress { told, silent };
  /// `told`: what the tools say goes to stderr where that is a terminal, about a line a second, until `hush`.
  SourceKit(const cli::Settings& settings, Progress progress);

  source::Sources& sources() { return sources_; }
  /// A view owns the terminal from now on.
  void hush() { telling_ = false; }
  const source::CheckoutStore& checkouts() const { return checkouts_; }

 private:
  void tell(std::string_view tool, std::string_view line);

  std::atomic<bool> telling_;
  std::atomic<std::int64_t> told_at_ms_ = 0;
  std::unique_ptr<source::Source> find_program(const std::string& kind) const;

  cli::Settings settings_;
  std::unique_ptr<source::Runner> runner_;
  source::CheckoutStore checkouts_;
  source::ArchiveStore archives_;
  source::Sources sources_;
};

}  // namespace slipway::program
