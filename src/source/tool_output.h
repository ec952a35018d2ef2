#pragma once

#include <functional>
#include <string>
#include <vector>

#include "os/subprocess.h"
#include "source/runner.h"

namespace slipway::source {

/// The pipes of one tool and what comes out of them, for both runners.
class ToolOutput {
 public:
  ToolOutput(const ToolCall& call, const SizeLimit& most, const Progress& progress)
      : call_(call), most_(most), progress_(progress) {}

  /// Sets the three standard descriptors.
  Result<void> connect(os::Subprocess::Options& options);
  /// To the tool's end.
  Result<os::CommandOutput> collect(os::Subprocess& process, const os::CallLimit& limit);

 private:
  Result<void> take(int fd, bool is_error, bool& ended);
  Result<void> check_size();

  const ToolCall& call_;
  const SizeLimit& most_;
  const Progress& progress_;
  os::Fd in_, out_, err_;
  std::vector<os::Fd> theirs_;  // until the tool has them
  std::string out_line_, err_line_;
  os::CommandOutput output_;
};

/// PATH, HOME and what a network client is told by variables; then the call's own.
std::vector<std::string> tool_environment(const ToolCall& call, const std::string& home);
/// Files outside of the system's own directories that those variables name.
std::vector<std::filesystem::path> files_in_environment();

}  // namespace slipway::source
