#include "os/openat2.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace slipway::os {

Fd open_held(int directory_fd, const char* path, int flags, std::uint64_t resolve) {
  struct open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.resolve = resolve;
  return Fd(static_cast<int>(::syscall(SYS_openat2, directory_fd, *path == '\0' ? "." : path, &how, sizeof how)));
}

}  // namespace slipway::os
