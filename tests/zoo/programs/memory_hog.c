// Touches memory until it is ended.
#include "try.h"

int main(void) {
  printf("growing\n");
  fflush(stdout);
  for (long mib = 0; mib < 4096; ++mib) {
    char* block = malloc(1 << 20);
    if (block == NULL) return 2;
    memset(block, (int)mib | 1, 1 << 20);
  }
  printf("4 GiB without a limit\n");
  return 0;
}
