#pragma once

#include <cstdint>

#include "base/error.h"
#include "os/user_namespace.h"
#include "sandbox/ids.h"
#include "sandbox/sandbox.h"

/// How ids inside a sandbox relate to ids of the namespace that its mounts are made in.
namespace slipway::sandbox::native {

class Identity {
 public:
  enum class Kind {
    root,    ///< a range a slot that owns nothing on the host
    range,   ///< rootless with newuidmap: the caller's own id is the runner, the rest comes from /etc/subuid
    single,  ///< rootless without: every id inside is the caller's
  };

  /// `runner_outside`: of a sibling, the outside id of its runner, which no slot of its own gives. 0: the slot's.
  Identity(Kind kind, int slot, std::uint32_t runner_outside = 0)
      : kind_(kind), slot_(slot), runner_outside_(runner_outside) {}

  Kind kind() const { return kind_; }
  std::uint32_t outside(std::uint32_t inside) const;
  /// Of the sandbox's user namespace.
  os::IdMap map() const;
  /// Of the namespace below it for steps that run as root: init's id is missing.
  os::IdMap map_for_root_steps() const;
  std::uint32_t init_id() const;

  /// Shows files of `owner` and `group` as `appears` (an id inside), everybody else's as they are.
  os::IdMap showing(std::uint32_t owner, std::uint32_t group, std::uint32_t appears) const;

  /// Of a sibling: shows the files of the job's user, `owner` outside, as its runner's, and makes its new ones the
  /// job's user's. Nobody else's can be touched.
  os::IdMap showing_shared(std::uint32_t owner) const;

 private:
  Kind kind_;
  int slot_;
  std::uint32_t runner_outside_;
};

/// The id inside that the mount's owner has.
inline std::uint32_t appears(const Mount& mount, const model::RunAs& run_as) {
  return mount.of_source ? kSourceId : job_id(run_as);
}

}  // namespace slipway::sandbox::native
