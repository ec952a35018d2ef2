#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "os/call_limit.h"
#include "os/fd.h"
#include "sandbox/sandbox_directory.h"

/// How a sandbox outlives its owner (SandboxSpec::orphan_grace), for every backend whose sandboxes are processes.
///
/// Its first process is given descriptors to keep for the next owner: whatever is locked by them stays so as long as it
/// lives, so that nobody sweeps it or takes what is its own; and a socket that listens in the sandbox's directory,
/// where no step can get to: that directory is in no sandbox, and steps inherit no descriptor of their init.
namespace slipway::sandbox {

/// What one owner leaves to the next: the backend's own words, and descriptors by name.
struct Estate {
  std::map<std::string, std::string> facts;
  std::map<std::string, os::Fd> held;

  /// `internal` where it is missing.
  Result<os::Fd> take(const std::string& name);
  Result<std::string> fact(const std::string& name) const;
  Result<std::int64_t> number(const std::string& name) const;
};

/// The owner, before it says a word on the leash: `held` are copied. The directory's lock goes along.
Result<void> bequeath(SandboxDirectory& directory, const std::map<std::string, std::string>& facts,
                      const std::map<std::string, int>& held, Duration orphan_grace, const os::Fd& leash);

struct Adopted {
  SandboxDirectory directory;
  Estate estate;
  os::Fd leash;
  std::string note;
};
/// The next owner. Errors as SandboxBackend::adopt.
Result<Adopted> adopt_from(const std::filesystem::path& parent, const SandboxId& id, const os::CallLimit& limit);

}  // namespace slipway::sandbox
