// Fills the disk: argv[1] is where. Refused is right; 8 GiB is not.
#include <fcntl.h>

#include "try.h"

int main(int argc, char** argv) {
  const int fd = open(argc > 1 ? argv[1] : "filler", O_CREAT | O_WRONLY | O_TRUNC, 0600);
  static char block[1 << 20];
  memset(block, 'x', sizeof block);
  for (long mib = 0; mib < 8192; ++mib) {
    if (write(fd, block, sizeof block) < (ssize_t)sizeof block) {
      printf("stopped at %ld MiB: %s\n", mib, strerror(errno));
      return 0;
    }
  }
  printf("8 GiB without a limit\n");
  return 1;
}
