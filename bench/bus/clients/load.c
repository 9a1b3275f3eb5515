#include "load.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* As in contract.ts. */
enum { HASH_EVERY = 1000, COOL_DOWN_MS = 1000, GIVE_UP_MS = 10000, MEMBERS_MAX = 64, GREET_EVERY_MS = 20 };
enum { DATA, END, GREETING };

struct header {
  uint32_t sender;
  uint32_t kind;
  uint32_t sequence;
  uint32_t unused;
  double sent_at;
};

static struct {
  uint32_t index, members, size, window;
  double rate, warmup_ms, measure_ms;
} settings;

static uint32_t sent, own_delivered, delivered, measured, lost, reordered;
static uint32_t expected[MEMBERS_MAX];
static uint64_t greeted, done, everybody;
static uint32_t hash = 0x811c9dc5;
static uint32_t *hashes;
static size_t hash_count, hash_room;
static double *latencies;
static size_t latency_count, latency_room;
static double started_at, measure_from = 1e300, measure_to = 1e300;
static char *body;
static volatile sig_atomic_t go;

void load_must(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void *room(void *list, size_t count, size_t *allocated, size_t each) {
  if (count < *allocated) return list;
  *allocated = *allocated == 0 ? 4096 : *allocated * 2;
  list = realloc(list, *allocated * each);
  load_must(list != NULL, "out of memory");
  return list;
}

void load_deliver(const void *message, size_t size) {
  struct header header;
  load_must(size >= sizeof header, "a message without a header came");
  memcpy(&header, message, sizeof header);
  load_must(header.sender < settings.members, "a message of nobody came");
  uint32_t *next = &expected[header.sender];
  if (header.kind == GREETING) {
    greeted |= 1ull << header.sender;
    return;
  }
  if (header.kind == END) {
    if (header.sequence > *next) lost += header.sequence - *next;
    done |= 1ull << header.sender;
    return;
  }
  load_must(size == settings.size, "a message came that is not as long as it was sent");
  double now = now_ms();
  delivered++;
  if (now >= measure_from && now < measure_to) measured++;
  if (header.sequence < *next) {
    reordered++;
  } else {
    lost += header.sequence - *next;
    *next = header.sequence + 1;
  }
  hash = (hash ^ header.sender) * 0x01000193u;
  hash = (hash ^ header.sequence) * 0x01000193u;
  if (delivered % HASH_EVERY == 0) {
    hashes = room(hashes, hash_count, &hash_room, sizeof *hashes);
    hashes[hash_count++] = hash;
  }
  if (header.sender != settings.index) return;
  own_delivered++;
  if (settings.rate > 0 && header.sent_at >= measure_from && header.sent_at < measure_to) {
    latencies = room(latencies, latency_count, &latency_room, sizeof *latencies);
    latencies[latency_count++] = (now - header.sent_at) * 1000;
  }
}

static int send_one(const struct load_group *group, uint32_t kind, size_t size, uint32_t sequence) {
  struct header header = {settings.index, kind, sequence, 0, now_ms()};
  memcpy(body, &header, sizeof header);
  return group->send(body, size);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double latency_at(double share) {
  return latencies[(size_t)((latency_count - 1) * share)];
}

static void print_report(void) {
  printf("{\"sent\":%u,\"delivered\":%u,\"measured\":%u,\"lost\":%u,\"reordered\":%u,\"complete\":%s,\"parted\":false,\"heldUpMs\":0,\"hashes\":[", sent,
         delivered, measured, lost, reordered, done == everybody ? "true" : "false");
  for (size_t i = 0; i < hash_count; i++) printf(i == 0 ? "%u" : ",%u", hashes[i]);
  printf("],\"latencyUs\":");
  if (latency_count == 0) {
    printf("null}\n");
  } else {
    qsort(latencies, latency_count, sizeof *latencies, ascending);
    printf("{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}}\n", latency_at(0.5), latency_at(0.99), latency_at(1));
  }
  fflush(stdout);
}

static void on_go(int number) {
  (void)number;
  go = 1;
}

static void greet(const struct load_group *group) {
  double next = 0;
  int told = 0;
  while (!go) {
    if (now_ms() >= next) {
      send_one(group, GREETING, sizeof(struct header), 0);
      next = now_ms() + GREET_EVERY_MS;
    }
    group->receive(1);
    if (greeted == everybody && !told) {
      told = 1;
      printf("ready\n");
      fflush(stdout);
    }
  }
}

void load_run(char **argv, const struct load_group *group) {
  settings.index = atoi(argv[1]);
  settings.members = atoi(argv[2]);
  settings.size = atoi(argv[3]);
  settings.window = atoi(argv[4]);
  settings.rate = atof(argv[5]);
  settings.warmup_ms = atof(argv[6]);
  settings.measure_ms = atof(argv[7]);
  load_must(settings.members >= 1 && settings.members < MEMBERS_MAX, "too many members");
  load_must(settings.size >= sizeof(struct header), "the size has no room for a header");
  everybody = (1ull << settings.members) - 1;
  body = calloc(1, settings.size);
  load_must(body != NULL, "out of memory");
  signal(SIGUSR2, on_go);

  greet(group);
  started_at = now_ms();
  measure_from = started_at + settings.warmup_ms;
  measure_to = measure_from + settings.measure_ms;
  int end_said = 0;
  for (;;) {
    double now = now_ms();
    if (done == everybody || now > measure_to + COOL_DOWN_MS + GIVE_UP_MS) break;
    int refused = 0;
    if (now < measure_to + COOL_DOWN_MS) {
      double due = settings.rate == 0 ? 1e300 : (now - started_at) * settings.rate / 1000;
      while (!refused && sent < due && sent - own_delivered < settings.window) {
        refused = !send_one(group, DATA, settings.size, sent);
        if (!refused) sent++;
      }
    } else if (!end_said && own_delivered == sent) {
      end_said = send_one(group, END, sizeof(struct header), sent);
    }
    group->receive(1);
  }
  print_report();
}
