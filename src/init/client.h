#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "wire/control.h"

namespace slipway::init {

/// What a person sees of an unknown or wrong command line. Exit codes of the command: 0 done, 1 refused, 2 usage,
/// 3 unavailable (not in a job, or its owner is gone).
extern const char* const kClientUsage;

/// What a command line asks for. `stdin_text` is read where an argument is `-`. Pure but for that.
class StdinText {
 public:
  virtual ~StdinText() = default;
  /// All of it, at most `most_bytes`.
  virtual Result<std::string> read(std::size_t most_bytes) = 0;
  /// The whole of a file that the user named.
  virtual Result<std::string> read_file(const std::string& path, std::size_t most_bytes) = 0;
};

/// Where the command is called.
struct ClientPlace {
  std::string working_dir;  ///< where relative paths begin
  std::string workspace = "/job";
  std::vector<std::string> environment;  ///< `K=V`
};

/// `invalid`: usage. `arguments` are those behind the program's name.
Result<wire::control::Request> parse_command(const std::vector<std::string>& arguments, const ClientPlace& place,
                                             StdinText& input);

/// How long a client waits. The job answers at once, but for what its owner has to be asked.
struct ClientLimits {
  std::chrono::milliseconds connect{30'000};  ///< to be let in, and to have the request taken
  std::chrono::milliseconds answer{60'000};
  std::chrono::milliseconds owners_answer{660'000};
};

/// Asks the job at `socket`. `unavailable` says for whom it waited in vain.
Result<wire::control::Answer> ask_job(const std::string& socket, const wire::control::Request& request,
                                      const ClientLimits& limits = {});

/// The `slipway` command inside a job: parses, asks the step's socket, prints. The exit code.
int client_main(const std::vector<std::string>& arguments);

}  // namespace slipway::init
