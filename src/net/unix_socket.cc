#include "net/unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "os/files.h"
#include "os/wait.h"

namespace slipway::net {

namespace {

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) {
    return fail(ErrorKind::invalid, path.string() + " is too long for the path of a socket");
  }
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  return address;
}

// A path that is short enough, whatever that of the directory is.
std::string below(const os::Fd& directory, const std::string& name) {
  return "/proc/self/fd/" + std::to_string(directory.get()) + "/" + name;
}

Result<os::Fd> make_socket() {
  os::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno(errno, "socket");
  return socket;
}

}  // namespace

Result<os::Fd> connect_unix(const std::filesystem::path& path) {
  SW_TRY(const sockaddr_un address, address_of(path));
  SW_TRY(os::Fd socket, make_socket());
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    if (errno == ECONNREFUSED) return fail(ErrorKind::not_found, "nothing listens on " + path.string());
    return fail_errno(errno, "connecting to " + path.string());
  }
  return socket;
}

Result<os::Fd> connect_unix(const std::filesystem::path& directory, const std::string& name) {
  SW_TRY(const os::Fd place, os::open_file(directory, O_PATH | O_DIRECTORY));
  auto connected = connect_unix(below(place, name));
  if (!connected) return wrap(connected.error(), directory.string());
  return connected;
}

Result<os::Fd> listen_unix(const std::filesystem::path& directory, const std::string& name, mode_t mode) {
  SW_TRY(const os::Fd place, os::open_file(directory, O_PATH | O_DIRECTORY));
  SW_TRY(const sockaddr_un address, address_of(below(place, name)));
  SW_TRY(os::Fd socket, make_socket());
  constexpr int kWaiting = 4;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(address.sun_path, mode) != 0 || ::listen(socket.get(), kWaiting) != 0) {
    return fail_errno(errno, "listening on " + (directory / name).string());
  }
  return socket;
}

Result<Peer> accept_unix(int listener, const os::CallLimit& limit) {
  SW_CHECK(os::wait_readable(listener, limit));
  Peer peer;
  peer.socket = os::Fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!peer.socket) return fail_errno(errno, "accept");
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(peer.socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    peer.pid = credentials.pid;
    peer.uid = credentials.uid;
  }
  return peer;
}

}  // namespace slipway::net
