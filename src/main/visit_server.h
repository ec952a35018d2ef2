#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "base/log.h"
#include "main/local_executor.h"
#include "os/fd.h"

namespace slipway::program {

/// Where other `slipway` processes of the same user reach the jobs that this one runs (wire/visits.h):
/// `state_dir/owners/OWNER.sock`, in a directory that is its user's alone.
///
/// No job gets there: sandboxes do not see the state directory, and who connects from another mount namespace, which
/// every sandbox and container has, or as another user, is not heard.
class VisitServer {
 public:
  /// Both outlive it. Sockets of the dead are removed.
  static Result<std::unique_ptr<VisitServer>> start(const std::filesystem::path& state_dir, const std::string& owner,
                                                    LocalExecutor& jobs, Log& log);
  ~VisitServer();

  static std::filesystem::path directory_of(const std::filesystem::path& state_dir) { return state_dir / "owners"; }
  static std::string name_of(const std::string& owner) { return owner + ".sock"; }

 private:
  VisitServer(std::filesystem::path path, os::Fd listener, LocalExecutor& jobs, Log& log);
  void serve(const std::stop_token& stop);
  void let_in(os::Fd socket, const std::stop_token& stop);

  std::filesystem::path path_;
  os::Fd listener_;
  LocalExecutor& jobs_;
  Log& log_;
  std::jthread thread_;  // last: uses all of the above
};

}  // namespace slipway::program
