// Forks until it is refused. The children stay, in sessions of their own.
#include "try.h"

int main(void) {
  for (int count = 0;; ++count) {
    const pid_t child = fork();
    if (child == 0) {
      setsid();
      pause();
    }
    if (child < 0 || count > 100000) {
      printf("%d children, then: %s\n", count, child < 0 ? strerror(errno) : "no limit");
      return child < 0 ? 0 : 1;
    }
  }
}
