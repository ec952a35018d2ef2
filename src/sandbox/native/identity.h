#pragma once

#include <cstdint>

#include "base/error.h"
#include "os/user_namespace.h"
#include "sandbox/ids.h"

/// How ids inside a sandbox relate to ids of the namespace that its mounts are made in.
namespace slipway::sandbox::native {

class Identity {
 public:
  enum class Kind {
    root,    ///< a range a slot that owns nothing on the host
    range,   ///< rootless with newuidmap: the caller's own id is the runner, the rest comes from /etc/subuid
    single,  ///< rootless without: every id inside is the caller's
  };

  Identity(Kind kind, int slot) : kind_(kind), slot_(slot) {}

  Kind kind() const { return kind_; }
  std::uint32_t outside(std::uint32_t inside) const;
  /// Of the sandbox's user namespace.
  os::IdMap map() const;
  /// Of the namespace below it for steps that run as root: init's id is missing.
  os::IdMap map_for_root_steps() const;
  std::uint32_t init_id() const;

  /// Shows files of `owner` and `group` as `appears` (an id inside), everybody else's as they are.
  os::IdMap showing(std::uint32_t owner, std::uint32_t group, std::uint32_t appears) const;

 private:
  Kind kind_;
  int slot_;
};

}  // namespace slipway::sandbox::native
