// Prints argv[1] MiB as fast as it can, then one last line.
#include "try.h"

int main(int argc, char** argv) {
  const long mib = argc > 1 ? atol(argv[1]) : 256;
  static char block[1 << 16];
  for (size_t i = 0; i < sizeof block; ++i) block[i] = i % 64 == 63 ? '\n' : 'x';
  printf("first line\n");
  fflush(stdout);
  for (long i = 0; i < mib * 16; ++i) {
    for (size_t done = 0; done < sizeof block;) {
      const ssize_t n = write(1, block + done, sizeof block - done);
      if (n <= 0) return 1;
      done += (size_t)n;
    }
  }
  printf("last line\n");
  return 0;
}
