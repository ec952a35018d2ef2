// Ignores all it can, and so do its children.
#include <signal.h>

#include "try.h"

int main(void) {
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_IGN);
  printf("ignoring\n");
  fflush(stdout);
  for (int i = 0; i < 3; ++i) {
    if (fork() == 0) setsid();
  }
  for (;;) pause();
}
