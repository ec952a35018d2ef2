// What the zoo's programs share: try something that must be refused, say how it went, count what was allowed.
// Compiled with -D_GNU_SOURCE: none of them is portable, or wants to be.
#pragma once
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int allowed_count = 0;

// `call` must fail. Flushes, so that the line is there even if the next try ends this process.
#define REFUSED(name, call)                                    \
  do {                                                         \
    errno = 0;                                                 \
    if ((long)(call) < 0) {                                    \
      printf("refused %s: %s\n", name, strerror(errno));       \
    } else {                                                   \
      printf("ALLOWED %s\n", name);                            \
      ++allowed_count;                                         \
    }                                                          \
    fflush(stdout);                                            \
  } while (0)

static inline int verdict(void) {
  printf("end: %d allowed\n", allowed_count);
  return allowed_count == 0 ? 0 : 1;
}
