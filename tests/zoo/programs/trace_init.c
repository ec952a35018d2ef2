// Tries to get into process 1: tracing, its memory, its descriptors.
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "try.h"

int main(void) {
  REFUSED("PTRACE_ATTACH", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
  REFUSED("PTRACE_SEIZE", ptrace(PTRACE_SEIZE, 1, NULL, NULL));
  char byte;
  struct iovec local = {&byte, 1}, remote = {(void*)0x400000, 1};
  REFUSED("process_vm_readv", process_vm_readv(1, &local, 1, &remote, 1, 0));
  REFUSED("process_vm_writev", process_vm_writev(1, &local, 1, &remote, 1, 0));
  static const char* const files[] = {"/proc/1/mem", "/proc/1/environ", "/proc/1/maps", "/proc/1/auxv", "/proc/1/stack", "/proc/1/fd/0", "/proc/1/fd/3",
                                      "/proc/1/fd/4", "/proc/1/root/etc/passwd", "/proc/1/cwd/etc/passwd"};
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
    char name[64], buffer[64];
    const int fd = open(files[i], O_RDONLY | O_NONBLOCK);
    snprintf(name, sizeof name, "read %s", files[i]);
    REFUSED(name, fd < 0 ? -1 : read(fd, buffer, sizeof buffer) > 0 ? 1 : -1);
  }
  const long pidfd = syscall(SYS_pidfd_open, 1, 0);
  for (int fd = 0; fd < 16; ++fd) {
    char name[32];
    snprintf(name, sizeof name, "pidfd_getfd %d", fd);
    REFUSED(name, pidfd < 0 ? -1 : syscall(SYS_pidfd_getfd, (int)pidfd, fd, 0));
  }
  return verdict();
}
