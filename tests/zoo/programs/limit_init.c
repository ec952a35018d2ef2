// Tries to make process 1 unable to work: no file size, no descriptors, no processor, first in line for the OOM killer.
// Each of these needs only the same user id, not the right to trace: "not dumpable" does not stop them.
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "try.h"

int main(void) {
  const struct rlimit none = {0, 0};
  REFUSED("prlimit FSIZE", prlimit(1, RLIMIT_FSIZE, &none, NULL));
  REFUSED("prlimit NOFILE", prlimit(1, RLIMIT_NOFILE, &none, NULL));
  REFUSED("prlimit AS", prlimit(1, RLIMIT_AS, &none, NULL));
  REFUSED("prlimit CPU", prlimit(1, RLIMIT_CPU, &none, NULL));
  REFUSED("prlimit NPROC", prlimit(1, RLIMIT_NPROC, &none, NULL));
  const struct sched_param idle = {0};
  REFUSED("SCHED_IDLE", sched_setscheduler(1, SCHED_IDLE, &idle));
  REFUSED("SCHED_BATCH", sched_setscheduler(1, SCHED_BATCH, &idle));
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  REFUSED("affinity", sched_setaffinity(1, sizeof one, &one));
  REFUSED("nice 19", setpriority(PRIO_PROCESS, 1, 19));
  REFUSED("ioprio idle", syscall(SYS_ioprio_set, 1, 1, 3 << 13));
  static const char* const files[] = {"/proc/1/oom_score_adj", "/proc/1/oom_adj", "/proc/1/autogroup", "/proc/1/timerslack_ns", "/proc/1/coredump_filter", "/proc/1/clear_refs"};
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
    const int fd = open(files[i], O_WRONLY);
    REFUSED(files[i], fd < 0 ? -1 : write(fd, "1000", 4));
  }
  return verdict();
}
