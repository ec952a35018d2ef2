#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>

#include "base/error.h"
#include "init/poller.h"
#include "os/fd.h"

namespace slipway::init {

/// How a child ended.
struct ChildEnd {
  int exit_code = 0;  ///< 128 + signal when one ended it
  rusage usage{};
};

/// Every process below this one: as process 1, or as the subreaper of a sandbox without a pid namespace, init gets all
/// that lose their parents. At most one object a process.
class Children {
 public:
  using OnEnd = std::function<void(const ChildEnd&)>;

  static Result<std::unique_ptr<Children>> make(Poller& poller);
  ~Children();

  void expect(pid_t pid, OnEnd on_end) { expected_[pid] = std::move(on_end); }
  bool is_expected(pid_t pid) const { return expected_.contains(pid); }

  /// Takes all that have ended. Called by the loop; callable at any time.
  void reap();
  /// Is any process left?
  bool any();
  /// Sends `signal` to every process of the sandbox but this one. Outside a pid namespace: to every child.
  void signal_all(int signal);

 private:
  Children(Poller& poller, os::Fd signals);
  Poller& poller_;
  os::Fd signals_;
  Poller::Token watch_ = Poller::kNone;
  std::map<pid_t, OnEnd> expected_;
};

}  // namespace slipway::init
