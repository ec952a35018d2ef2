#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"
#include "os/subprocess.h"

namespace slipway::source {

/// A file for a tool's HOME: settings and credentials. It lies in memory and is gone with the tool.
struct HomeFile {
  std::string name;
  std::string text;
};

using Environment = std::vector<std::pair<std::string, std::string>>;

/// One run of a tool that fetches or unpacks: git, hg, svn, curl, slipway-unpack, slipway-source-NAME.
struct ToolCall {
  std::vector<std::string> argv;  ///< no secret: lists of processes show it
  std::filesystem::path directory;
  Environment environment;  ///< on top of PATH, HOME, LC_ALL and, with the network, the settings of proxies and CAs
  std::vector<HomeFile> home;
  std::vector<std::filesystem::path> writable;  ///< absolute, without links
  std::vector<std::filesystem::path> readable;  ///< may lie inside a writable one
  enum class Network { none, host } network = Network::none;
  std::string input;                              ///< what it reads on stdin; at most 1 MiB
  std::function<void(std::string_view)> on_line;  ///< gets each line of stdout as it comes; `out` stays empty
  std::size_t most_output = 64U << 20U;
};

/// Bounds what a tool may leave in its writable paths, looked at every few seconds.
struct SizeLimit {
  std::uint64_t bytes = 20ULL << 30U;
  std::uint64_t files = 2'000'000;
};

/// Tells people how far it is: a tool's name and one line, without credentials. Called on the thread that runs it.
using Progress = std::function<void(std::string_view tool, std::string_view line)>;

/// Runs tools that read what strangers wrote. Any thread. The tool has ended when `run` returns, with all it started.
/// Errors: `unavailable` (not installed), `exhausted` (a size limit), `timeout`, `cancelled`. An exit code is no error.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual Result<os::CommandOutput> run(const ToolCall& call, const os::CallLimit& limit) = 0;
};

/// As a plain child with a HOME of its own: the tool can read what its user can. For tests, and where the operator says
/// so (`source.confine: false`).
std::unique_ptr<Runner> make_plain_runner(SizeLimit most, Progress progress);

/// Kept apart from the machine as os/confine.h says. `init_program`: slipway-init.
std::unique_ptr<Runner> make_confined_runner(std::filesystem::path init_program, SizeLimit most, Progress progress);

}  // namespace slipway::source
