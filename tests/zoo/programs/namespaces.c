// New namespaces are the door to most kernel bugs: refused, by every call that makes one.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "try.h"

int main(void) {
  REFUSED("unshare user", unshare(CLONE_NEWUSER));
  REFUSED("unshare mount", unshare(CLONE_NEWNS));
  REFUSED("unshare pid", unshare(CLONE_NEWPID));
  REFUSED("unshare net", unshare(CLONE_NEWNET));
  REFUSED("unshare cgroup", unshare(CLONE_NEWCGROUP));
  REFUSED("unshare time", unshare(CLONE_NEWTIME));
  REFUSED("clone user", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0));
  struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  REFUSED("clone3 user", syscall(SYS_clone3, &args, sizeof args));
  static const char* const kinds[] = {"mnt", "net", "user", "pid", "cgroup", "ipc"};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
    char path[64];
    snprintf(path, sizeof path, "/proc/1/ns/%s", kinds[i]);
    const int fd = open(path, O_RDONLY);
    REFUSED(path, fd < 0 ? -1 : setns(fd, 0));
  }
  return verdict();
}
