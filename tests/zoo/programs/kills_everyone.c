// kill(-1) and kill(1): whoever it may hit, the journal has to be whole.
#include <signal.h>

#include "try.h"

int main(void) {
  REFUSED("kill 1 with SIGKILL", kill(1, SIGKILL));
  REFUSED("kill 1 with SIGSTOP", kill(1, SIGSTOP));
  printf("before the last\n");
  fflush(stdout);
  kill(-1, SIGKILL);  // spares this process and, in a pid namespace, process 1
  return verdict();
}
