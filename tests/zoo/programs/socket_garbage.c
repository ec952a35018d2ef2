// Talks nonsense to the control socket: half messages, endless ones, many connections that say nothing.
#include <sys/socket.h>
#include <sys/un.h>

#include "try.h"

static int connected(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char* path = getenv("SLIPWAY_SOCKET");
  if (path == NULL) {
    printf("no SLIPWAY_SOCKET\n");
    exit(2);
  }
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  for (int kind = 0; kind < 2; ++kind) {
    const int fd = socket(AF_UNIX, (kind ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_NONBLOCK, 0);
    if (connect(fd, (struct sockaddr*)&address, sizeof address) == 0) return fd;
    close(fd);
  }
  return -1;
}

int main(void) {
  static char noise[1 << 16];
  for (size_t i = 0; i < sizeof noise; ++i) noise[i] = (char)(i * 2654435761u >> 13);
  for (int round = 0; round < 20; ++round) {
    const int fd = connected();
    for (int i = 0; i < 64; ++i) (void)!send(fd, noise + i, sizeof noise - 64, MSG_NOSIGNAL);
    close(fd);
  }
  memset(noise, '{', sizeof noise);
  const int nested = connected();
  for (int i = 0; i < 64; ++i) (void)!send(nested, noise, sizeof noise, MSG_NOSIGNAL);
  for (int i = 0; i < 200; ++i) (void)connected();  // held open and silent
  printf("done\n");
  return 0;
}
