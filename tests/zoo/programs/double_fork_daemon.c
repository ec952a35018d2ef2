// A daemon that keeps stdout and stderr open: whoever waits for end of file waits for ever.
#include "try.h"

int main(void) {
  if (fork() == 0) {
    setsid();
    if (fork() == 0) {
      for (;;) pause();
    }
    _exit(0);
  }
  printf("parent is done\n");
  return 0;
}
