#include "load.h"

#include <stdio.h>
#include <stdlib.h>

static void greet(struct connection *c) {
  load_sendf(c, "use %s\r\nwatch %s\r\nignore default\r\n", queue_name, queue_name);
}

static void put(struct connection *c, int count) {
  static char request[1 << 16];
  static size_t bytes;
  if (bytes == 0) bytes = snprintf(request, sizeof request, "put 0 0 3600 %d\r\n%s\r\n", body_bytes, body);
  load_repeat(c, request, bytes, count);
}

static void get(struct connection *c, int count) { load_repeat(c, "reserve\r\n", 9, count); }

/* `INSERTED id`, or `RESERVED id bytes` and the body, which is deleted, and `DELETED` is the answer. */
static size_t take(struct connection *c, const char *at, const char *end, enum event *event) {
  const char *line_end = load_line(at, end);
  if (line_end == NULL) return 0;
  size_t whole = line_end - at;
  if (load_begins(at, line_end, "USING ") || load_begins(at, line_end, "WATCHING ")) return whole;
  if (load_begins(at, line_end, "RESERVED ")) {
    size_t size = load_last_number(line_end);
    whole += size + 2;
    if ((size_t)(end - at) < whole) return 0;
    if ((int)size != body_bytes) *event = WRONG;
    else load_sendf(c, "delete %lu\r\n", strtoul(at + 9, NULL, 10));
    return whole;
  }
  *event = load_begins(at, line_end, c->operation == PUT ? "INSERTED " : "DELETED\r\n") ? DONE : WRONG;
  return whole;
}

const struct protocol beanstalk = {.name = "beanstalk", .greet = greet, .put = put, .get = get, .take = take};
