#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "init/identity.h"
#include "os/fd.h"

namespace slipway::init {

/// A directory that init alone writes to, held open from before the first step on: what a step makes of the path that
/// leads there changes nothing for init. What is written here is new, and never reached through a link.
class OwnDirectory {
 public:
  static Result<OwnDirectory> open(const std::string& path);

  /// `name` as a step finds it.
  std::string path_of(const std::string& name) const { return path_ + "/" + name; }

  /// A file with `text` in the place of what `name` was. `owner`: whose it becomes.
  Result<void> write(const std::string& name, std::string_view text, mode_t mode,
                     const Identity* owner = nullptr) const;
  /// Binds the unix socket `socket` to `name`; `owner` alone may connect.
  Result<void> bind(int socket, const std::string& name, const Identity& owner) const;
  void remove(const std::string& name) const;

 private:
  OwnDirectory(std::string path, os::Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  os::Fd fd_;
};

}  // namespace slipway::init
