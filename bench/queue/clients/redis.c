#include "load.h"

#include <stdio.h>
#include <string.h>

static void put(struct connection *c, int count) {
  static char request[1 << 16];
  static size_t bytes;
  if (bytes == 0) {
    bytes = snprintf(request, sizeof request, "*3\r\n$5\r\nLPUSH\r\n$%zu\r\n%s\r\n$%d\r\n%s\r\n", strlen(queue_name),
                     queue_name, body_bytes, body);
  }
  load_repeat(c, request, bytes, count);
}

static void get(struct connection *c, int count) {
  static char request[300];
  static size_t bytes;
  if (bytes == 0) {
    bytes = snprintf(request, sizeof request, "*2\r\n$4\r\nRPOP\r\n$%zu\r\n%s\r\n", strlen(queue_name), queue_name);
  }
  load_repeat(c, request, bytes, count);
}

/* `:length of the list`, or `$bytes` and the body. */
static size_t take(struct connection *c, const char *at, const char *end, enum event *event) {
  const char *line_end = load_line(at, end);
  if (line_end == NULL) return 0;
  size_t whole = line_end - at;
  if (c->operation == PUT) {
    *event = *at == ':' ? DONE : WRONG;
    return whole;
  }
  if (*at != '$' || at[1] == '-') {
    *event = WRONG;
    return whole;
  }
  size_t size = load_last_number(line_end);
  whole += size + 2;
  if ((size_t)(end - at) < whole) return 0;
  *event = (int)size == body_bytes ? DONE : WRONG;
  return whole;
}

const struct protocol redis = {.name = "redis", .put = put, .get = get, .take = take};
