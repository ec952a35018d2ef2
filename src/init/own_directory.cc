#include "init/own_directory.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "os/files.h"

namespace slipway::init {

Result<OwnDirectory> OwnDirectory::open(const std::string& path) {
  os::Fd fd(os::open_job_directory(path.c_str(), O_NOFOLLOW));  // what leads there is the image's
  if (!fd) return fail_errno(errno, "opening " + path);
  return OwnDirectory(path, std::move(fd));
}

Result<void> OwnDirectory::write(const std::string& name, std::string_view text, mode_t mode,
                                 const Identity* owner) const {
  remove(name);  // of an earlier try of the step
  const os::Fd file(::openat(fd_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file) return fail_errno(errno, "making " + path_of(name));
  if (auto written = os::write_all(file.get(), text); !written) {
    // Nobody but the job's author can fill it: with scripts, secrets, and what steps append to those.
    if (written.error().kind == ErrorKind::exhausted) written.error().kind = ErrorKind::invalid;
    return wrap(written.error(), path_of(name));
  }
  if (owner != nullptr && owner->switches && ::fchown(file.get(), owner->uid, owner->gid) != 0) {
    return fail_errno(errno, "giving " + path_of(name) + " to its owner");
  }
  return {};
}

Result<void> OwnDirectory::bind(int socket, const std::string& name, const Identity& owner) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", fd_.get(), name);  // bind has no form with a directory
  if (path.size() >= sizeof address.sun_path) return fail(ErrorKind::invalid, "a socket's name is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  remove(name);
  // Nobody but init can connect until the socket is the step's.
  const mode_t before = ::umask(0177);
  const int bound = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int bind_error = errno;
  ::umask(before);
  if (bound != 0) return fail_errno(bind_error, "making " + path_of(name));
  if (owner.switches && ::fchownat(fd_.get(), name.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    const int chown_error = errno;
    remove(name);
    return fail_errno(chown_error, "giving " + path_of(name) + " to its owner");
  }
  return {};
}

void OwnDirectory::remove(const std::string& name) const {
  (void)::unlinkat(fd_.get(), name.c_str(), 0);  // what cannot go shows where the new one is made
}

}  // namespace slipway::init
