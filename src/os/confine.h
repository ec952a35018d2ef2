#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "os/fd.h"
#include "os/subprocess.h"

/// Runs a program of this machine that reads what strangers wrote (git, hg, svn, an unpacker), kept apart: should it be
/// taken over, it reaches only what it was given.
///
/// It sees /usr with the directories beside it, what of /etc a network client needs (names, certificates, ssh's and the
/// fetching tools' settings), an own /dev, /proc and /tmp, and the listed paths. All of that is read-only but the paths
/// that are not. No home, no state directory, no sockets of this machine's services. Namespaces: user (one id, the
/// caller's), mount, pid, ipc, uts, and the network when it needs none. No capabilities, no new privileges, the system
/// call filter of a step, a session keyring of its own, no abstract unix sockets of others (Landlock, where the kernel
/// has it). With `Network::host` it reaches what the caller reaches.
///
/// One small static program makes all that (slipway-init, `confine`), about 3 ms: a large process does not fork.
/// It ends, with everything that it started, when its owner ends.
namespace slipway::os {

/// `HOME` inside: in memory, gone with the process.
inline constexpr std::string_view kConfinedHome = "/.home";

struct Confinement {
  struct Path {
    std::string path;  ///< absolute, without links; seen at the same place inside
    enum class Access { read, write } access = Access::read;
  };
  std::vector<Path> paths;  ///< a later one may lie inside an earlier one
  struct File {
    std::string name;  ///< below HOME
    std::string text;  ///< may be a secret: it goes through memory only
  };
  std::vector<File> home;  ///< mode 0600
  enum class Network { none, host } network = Network::none;
  std::uint64_t most_file_bytes = 0;  ///< of any one file that is written; 0: no limit
};

struct ConfinedProcess {
  Fd lifeline;  ///< while it is open, the process may live
  Subprocess process;
};

/// `program`: slipway-init. `options` are the tool's; its working directory must be seen inside, its environment is
/// whole, and it gets no descriptors but the standard ones. `unavailable`: the helper could not be started. What fails
/// inside, the missing tool included, is told on its stderr, with exit code `kConfineFailed`.
Result<ConfinedProcess> start_confined(const std::filesystem::path& program, const Confinement& confinement,
                                       const Subprocess::Options& options);
inline constexpr int kConfineFailed = 125;

/// The other side: `slipway-init confine -- TOOL ARGUMENT...`. The confinement is on descriptor 3, the lifeline on 4.
int run_confine(const std::vector<std::string>& arguments);

}  // namespace slipway::os
