// Leaves a thousand orphans that end at once: somebody has to reap them, or the pids limit is used up.
#include <sys/wait.h>

#include "try.h"

int main(void) {
  for (int i = 0; i < 1000; ++i) {
    const pid_t child = fork();
    if (child < 0) {
      printf("fork %d: %s\n", i, strerror(errno));
      return 1;
    }
    if (child == 0) {
      if (fork() == 0) _exit(0);  // becomes an orphan
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
  printf("all orphaned\n");
  return 0;
}
