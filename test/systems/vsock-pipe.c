/*
 * Connects standard input and output with a socket between guest and host:
 *   vsock-pipe CID PORT    connects     vsock-pipe PORT    waits for one connection
 */
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void copy_all(int to, const char *bytes, ssize_t count) {
  while (count > 0) {
    ssize_t done = write(to, bytes, count);
    if (done < 0) fail("write");
    bytes += done;
    count -= done;
  }
}

int main(int argc, char **argv) {
  static char buffer[1 << 16];
  struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY};
  int sock = socket(AF_VSOCK, SOCK_STREAM, 0);
  if (sock < 0) fail("socket");
  address.svm_port = strtoul(argv[argc - 1], 0, 10);
  if (argc == 3) {
    address.svm_cid = strtoul(argv[1], 0, 10);
    if (connect(sock, (struct sockaddr *)&address, sizeof address)) fail("connect");
  } else {
    if (bind(sock, (struct sockaddr *)&address, sizeof address) || listen(sock, 1)) fail("listen");
    fprintf(stderr, "listening\n");
    sock = accept(sock, 0, 0);
    if (sock < 0) fail("accept");
  }
  struct pollfd waits[2] = {{0, POLLIN, 0}, {sock, POLLIN, 0}};
  while (waits[0].fd >= 0 || waits[1].fd >= 0) {
    if (poll(waits, 2, -1) < 0) fail("poll");
    for (int i = 0; i < 2; i++) {
      if (waits[i].fd < 0 || !waits[i].revents) continue;
      ssize_t count = read(waits[i].fd, buffer, sizeof buffer);
      if (count < 0) fail("read");
      if (count == 0) waits[i].fd = -1;
      if (count == 0 && i == 0) shutdown(sock, SHUT_WR);
      copy_all(i == 0 ? sock : 1, buffer, count);
    }
  }
  return 0;
}
