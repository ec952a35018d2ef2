// Key rings are not namespaced: a key of the one who started the sandbox must not be reachable.
#include <sys/syscall.h>

#include "try.h"

int main(void) {
  REFUSED("add_key", syscall(SYS_add_key, "user", "zoo", "x", 1, -3));
  REFUSED("request_key", syscall(SYS_request_key, "user", "zoo", NULL, -3));
  REFUSED("keyctl session", syscall(SYS_keyctl, 0, -3, 0));
  REFUSED("keyctl search", syscall(SYS_keyctl, 10, -4, "user", "zoo-of-the-host", 0));
  return verdict();
}
