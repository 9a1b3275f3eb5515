#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1000, DEPTH_MAX = 1000, OUT_BYTES = 1 << 20, IN_BYTES = 1 << 17, STALLED_MS = 20000 };
/* Latencies by powers of two, each cut into 32: within 3 %. */
enum { STEPS = 32, BUCKETS = 64 * STEPS };

const char *queue_name;
const char *body;
int body_bytes;

static const struct protocol *protocols[] = {&memcache, &reliable, &beanstalk, &redis, &nats};
static const struct protocol *protocol;
static struct connection connections[CONNECTIONS_MAX];
static int connection_count, depth, poller;
static enum { ONLY_PUT, ONLY_GET, TURNS } work;
/* Requests that may still be sent, or until when. */
static uint64_t left, deadline_ns;
static uint64_t answered, wrong, in_flight;
static uint64_t latencies[BUCKETS];
static char first_wrong[121];

void load_must(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s%s%s\n", what, errno == 0 ? "" : ": ", errno == 0 ? "" : strerror(errno));
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ull + now.tv_nsec;
}

void load_send(struct connection *c, const char *bytes, size_t count) {
  load_must(c->out_bytes + count <= OUT_BYTES, "too much to send at once");
  memcpy(c->out + c->out_bytes, bytes, count);
  c->out_bytes += count;
}

void load_sendf(struct connection *c, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t room = OUT_BYTES - c->out_bytes;
  int bytes = vsnprintf(c->out + c->out_bytes, room, format, arguments);
  va_end(arguments);
  load_must(bytes >= 0 && (size_t)bytes < room, "too much to send at once");
  c->out_bytes += bytes;
}

void load_repeat(struct connection *c, const char *request, size_t bytes, int count) {
  for (int n = 0; n < count; n++) load_send(c, request, bytes);
}

const char *load_line(const char *at, const char *end) {
  const char *feed = memchr(at, '\n', end - at);
  return feed == NULL ? NULL : feed + 1;
}

size_t load_last_number(const char *line_end) {
  const char *at = line_end - 2;
  while (at[-1] >= '0' && at[-1] <= '9') at--;
  return strtoul(at, NULL, 10);
}

int load_begins(const char *at, const char *line_end, const char *with) {
  size_t length = strlen(with);
  return (size_t)(line_end - at) >= length && memcmp(at, with, length) == 0;
}

static void watch(struct connection *c, int how, int writing) {
  struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = c};
  load_must(epoll_ctl(poller, how, c->socket, &event) == 0, "epoll_ctl");
}

static void flush(struct connection *c) {
  int waited = c->out_sent > 0;
  while (c->out_sent < c->out_bytes) {
    ssize_t sent = write(c->socket, c->out + c->out_sent, c->out_bytes - c->out_sent);
    if (sent < 0 && errno == EAGAIN) {
      if (!waited) watch(c, EPOLL_CTL_MOD, 1);
      return;
    }
    load_must(sent > 0, "write");
    c->out_sent += sent;
  }
  c->out_bytes = c->out_sent = 0;
  if (waited) watch(c, EPOLL_CTL_MOD, 0);
}

static void burst(struct connection *c, uint64_t now) {
  uint64_t count = depth;
  if (deadline_ns > 0) {
    if (now >= deadline_ns) return;
  } else {
    if (count > left) count = left;
    if (count == 0) return;
    left -= count;
  }
  if (work == TURNS) c->operation = c->operation == PUT ? GET : PUT;
  c->burst_ns = now;
  c->open = count;
  in_flight += count;
  (c->operation == PUT ? protocol->put : protocol->get)(c, count);
}

static void note(uint64_t ns) {
  if (ns < STEPS) ns = STEPS;
  int power = 63 - __builtin_clzll(ns);
  latencies[power * STEPS + ((ns >> (power - 5)) & (STEPS - 1))]++;
}

static void take_all(struct connection *c, uint64_t now) {
  const char *end = c->in + c->in_end;
  for (;;) {
    enum event event = NOTHING;
    const char *at = c->in + c->in_from;
    size_t taken = at == end ? 0 : protocol->take(c, at, end, &event);
    if (taken == 0) break;
    c->in_from += taken;
    if (event == NOTHING) continue;
    if (event == WRONG && wrong++ == 0) {
      snprintf(first_wrong, sizeof first_wrong, "%.*s", (int)taken, at);
    }
    load_must(c->open > 0, "more replies than requests");
    answered++;
    in_flight--;
    note(now - c->burst_ns);
    if (--c->open == 0) burst(c, now);
  }
  if (c->in_from == c->in_end) c->in_from = c->in_end = 0;
  else if (c->in_end > IN_BYTES / 2) {
    memmove(c->in, c->in + c->in_from, c->in_end - c->in_from);
    c->in_end -= c->in_from;
    c->in_from = 0;
  }
  if (c->out_bytes > 0) flush(c);
}

static void receive(struct connection *c) {
  load_must(c->in_end < IN_BYTES, "a reply is too long");
  ssize_t got = read(c->socket, c->in + c->in_end, IN_BYTES - c->in_end);
  if (got < 0 && errno == EAGAIN) return;
  if (got == 0) errno = 0;
  load_must(got > 0, "the server hung up");
  c->in_end += got;
  take_all(c, now_ns());
}

static void poll_once(void) {
  struct epoll_event events[CONNECTIONS_MAX];
  int count = epoll_wait(poller, events, connection_count, STALLED_MS);
  if (count < 0 && errno == EINTR) return;
  errno = 0;
  load_must(count > 0, "no reply for 20 seconds");
  for (int n = 0; n < count; n++) {
    struct connection *c = events[n].data.ptr;
    if (events[n].events & EPOLLOUT) flush(c);
    if (events[n].events & ~EPOLLOUT) receive(c);
  }
}

static void dial(struct connection *c, int index, int port) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int on = 1;
  c->index = index;
  c->operation = work == ONLY_GET || work == TURNS ? GET : PUT;
  c->out = malloc(OUT_BYTES);
  c->in = malloc(IN_BYTES + 1);
  c->socket = socket(AF_INET, SOCK_STREAM, 0);
  load_must(c->out != NULL && c->in != NULL && c->socket >= 0, "socket");
  load_must(connect(c->socket, (struct sockaddr *)&address, sizeof address) == 0, "connect");
  setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(c->socket, F_SETFL, O_NONBLOCK);
  watch(c, EPOLL_CTL_ADD, 0);
  if (protocol->greet != NULL) protocol->greet(c);
  flush(c);
}

static double quantile_us(double part) {
  uint64_t before = 0, at = part * answered;
  for (int n = 0; n < BUCKETS; n++) {
    before += latencies[n];
    if (before > at) return (double)(((uint64_t)STEPS + n % STEPS) << (n / STEPS - 5)) / 1e3;
  }
  return 0;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
  load_must(argc == 10, "PROTOCOL PORT QUEUE CONNECTIONS DEPTH BODY_BYTES put|get|turns SECONDS COUNT");
  for (size_t n = 0; n < sizeof protocols / sizeof *protocols; n++) {
    if (strcmp(protocols[n]->name, argv[1]) == 0) protocol = protocols[n];
  }
  load_must(protocol != NULL, "no such protocol");
  queue_name = argv[3];
  connection_count = atoi(argv[4]);
  depth = atoi(argv[5]);
  body_bytes = atoi(argv[6]);
  load_must(connection_count <= CONNECTIONS_MAX && depth <= DEPTH_MAX, "too many");
  char *filled = malloc(body_bytes + 1);
  for (int n = 0; n < body_bytes; n++) filled[n] = 'a' + n % 26;
  filled[body_bytes] = 0;
  body = filled;
  work = strcmp(argv[7], "put") == 0 ? ONLY_PUT : strcmp(argv[7], "get") == 0 ? ONLY_GET : TURNS;
  double seconds = atof(argv[8]);
  left = strtoull(argv[9], NULL, 10);

  poller = epoll_create1(0);
  for (int n = 0; n < connection_count; n++) dial(&connections[n], n, atoi(argv[2]));
  sigset_t go;
  sigemptyset(&go);
  sigaddset(&go, SIGUSR2);
  sigprocmask(SIG_BLOCK, &go, NULL);
  puts("ready");
  fflush(stdout);
  int got;
  sigwait(&go, &got);

  double cpu = cpu_seconds();
  uint64_t started = now_ns();
  deadline_ns = seconds > 0 ? started + (uint64_t)(seconds * 1e9) : 0;
  for (int n = 0; n < connection_count; n++) {
    burst(&connections[n], now_ns());
    flush(&connections[n]);
  }
  while (in_flight > 0) poll_once();
  double took = (now_ns() - started) / 1e9;
  for (char *at = first_wrong; *at; at++) {
    if (*at < 32 || *at == '"' || *at == '\\') *at = ' ';
  }
  printf("{\"answered\":%llu,\"wrong\":%llu,\"firstWrong\":\"%s\",\"seconds\":%.6f,\"cpuSeconds\":%.6f,"
         "\"p50Us\":%.1f,\"p99Us\":%.1f,\"p999Us\":%.1f}\n",
         (unsigned long long)answered, (unsigned long long)wrong, first_wrong, took, cpu_seconds() - cpu,
         quantile_us(0.5), quantile_us(0.99), quantile_us(0.999));
  return 0;
}
