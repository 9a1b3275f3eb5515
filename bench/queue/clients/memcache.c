#include "load.h"

#include <stdio.h>
#include <string.h>

static void put(struct connection *c, int count) {
  static char request[1 << 16];
  static size_t bytes;
  if (bytes == 0) bytes = snprintf(request, sizeof request, "set %s 0 0 %d\r\n%s\r\n", queue_name, body_bytes, body);
  load_repeat(c, request, bytes, count);
}

static void get(struct connection *c, int count) {
  static char request[300];
  static size_t bytes;
  if (bytes == 0) bytes = snprintf(request, sizeof request, "get %s\r\n", queue_name);
  load_repeat(c, request, bytes, count);
}

/* Closes the read before and opens the next. */
static void get_reliable(struct connection *c, int count) {
  static char request[300];
  static size_t bytes;
  if (bytes == 0) bytes = snprintf(request, sizeof request, "get %s/close/open\r\n", queue_name);
  load_repeat(c, request, bytes, count);
}

/* `STORED`, or `VALUE key flags bytes`, the body and `END`. */
static size_t take(struct connection *c, const char *at, const char *end, enum event *event) {
  const char *line_end = load_line(at, end);
  if (line_end == NULL) return 0;
  if (c->operation == PUT || !load_begins(at, line_end, "VALUE ")) {
    *event = load_begins(at, line_end, c->operation == PUT ? "STORED\r\n" : "VALUE ") ? DONE : WRONG;
    return line_end - at;
  }
  size_t size = load_last_number(line_end);
  size_t whole = line_end - at + size + 7;
  if ((size_t)(end - at) < whole) return 0;
  *event = (int)size == body_bytes && memcmp(at + whole - 7, "\r\nEND\r\n", 7) == 0 ? DONE : WRONG;
  return whole;
}

const struct protocol memcache = {.name = "memcache", .put = put, .get = get, .take = take};
const struct protocol reliable = {.name = "reliable", .put = put, .get = get_reliable, .take = take};
