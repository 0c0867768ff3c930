// The floor of fan-out: send() to every connection in turn, and nothing else in user space. Speaks
// just enough HTTP to let the same WebSocket clients in as the other writers do.
//
//   floor CONNECTIONS BYTES
//
// Says `port N`, waits for all connections, says `ready`; takes `go SECONDS HZ`, and says
// `frames N cpu_us N failed N`.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char ANSWER[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\n\r\n";

static void die(const char *what) {
  perror(what);
  exit(1);
}

static double cpu_us(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
         (used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

// Reads to the end of the request's head. A client sends nothing before the answer.
static void let_in(int socket) {
  char head[4096];
  size_t length = 0;
  int on = 1;
  while (length < 4 || memcmp(head + length - 4, "\r\n\r\n", 4) != 0) {
    ssize_t count = read(socket, head + length, sizeof head - length);
    if (count <= 0 || length + count == sizeof head) die("request");
    length += count;
  }
  if (write(socket, ANSWER, sizeof ANSWER - 1) < 0) die("answer");
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int connections = atoi(argv[1]), bytes = atoi(argv[2]);
  int *sockets = calloc(connections, sizeof *sockets);
  unsigned char *frame = calloc(1, bytes + 4);
  frame[0] = 0x82, frame[1] = 126, frame[2] = bytes >> 8, frame[3] = bytes & 0xff;

  int server = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  if (bind(server, (struct sockaddr *)&at, size) || listen(server, 511)) die("listen");
  getsockname(server, (struct sockaddr *)&at, &size);
  printf("port %d\n", ntohs(at.sin_port)), fflush(stdout);
  for (int i = 0; i < connections; i++) {
    if ((sockets[i] = accept(server, NULL, NULL)) < 0) die("accept");
    let_in(sockets[i]);
  }
  printf("ready\n"), fflush(stdout);

  double seconds, hz;
  while (scanf(" go %lf %lf", &seconds, &hz) == 2) {
    long ticks = seconds * hz, frames = 0, failed = 0;
    double before = cpu_us();
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (long tick = 0; tick < ticks; tick++) {
      for (int i = 0; i < connections; i++) {
        ssize_t count = send(sockets[i], frame, bytes + 4, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count == bytes + 4) frames++;
        else failed++;
      }
      next.tv_nsec += 1e9 / hz;
      while (next.tv_nsec >= 1000000000) next.tv_nsec -= 1000000000, next.tv_sec++;
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    printf("frames %ld cpu_us %.0f failed %ld\n", frames, cpu_us() - before, failed);
    fflush(stdout);
  }
  return 0;
}
