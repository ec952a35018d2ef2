#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "base/error.h"
#include "os/call_limit.h"
#include "os/fd.h"

/// Stream sockets of this machine, by path.
namespace slipway::net {

/// `not_found` where nothing listens, `denied`.
Result<os::Fd> connect_unix(const std::filesystem::path& path);

/// A socket named `name` in a directory, however long the directory's path is. `mode` 0666: everyone who gets to it may
/// connect.
Result<os::Fd> listen_unix(const std::filesystem::path& directory, const std::string& name, mode_t mode = 0666);
/// Connects to one.
Result<os::Fd> connect_unix(const std::filesystem::path& directory, const std::string& name);

struct Peer {
  os::Fd socket;
  pid_t pid = 0;  ///< as this pid namespace numbers it; 0: it is in one that cannot be seen from here
  uid_t uid = static_cast<uid_t>(-1);
};
/// The next one who connects.
Result<Peer> accept_unix(int listener, const os::CallLimit& limit);

}  // namespace slipway::net
