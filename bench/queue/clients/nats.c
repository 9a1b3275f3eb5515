#define _GNU_SOURCE
#include "load.h"

#include <stdio.h>
#include <string.h>

/* Of a stream that has the queue's name, as its subject, and a consumer `c`: systems/nats.ts makes them. */

static void greet(struct connection *c) {
  load_sendf(c, "CONNECT {\"verbose\":false}\r\nSUB _I.%d 1\r\n", c->index);
}

static void put(struct connection *c, int count) {
  char head[300];
  size_t bytes = snprintf(head, sizeof head, "PUB %s _I.%d %d\r\n", queue_name, c->index, body_bytes);
  for (int n = 0; n < count; n++) {
    load_send(c, head, bytes);
    load_send(c, body, body_bytes);
    load_send(c, "\r\n", 2);
  }
}

/* One request for all, as its clients fetch. */
static void get(struct connection *c, int count) {
  char wish[60];
  int bytes = snprintf(wish, sizeof wish, "{\"batch\":%d}", count);
  load_sendf(c, "PUB $JS.API.CONSUMER.MSG.NEXT.%s.c _I.%d %d\r\n%s\r\n", queue_name, c->index, bytes, wish);
}

/* `MSG subject sid [reply-to] bytes` and the body: of an acknowledgement of a put, or a message to be acknowledged. */
static size_t take(struct connection *c, const char *at, const char *end, enum event *event) {
  const char *line_end = load_line(at, end);
  if (line_end == NULL) return 0;
  size_t whole = line_end - at;
  if (load_begins(at, line_end, "INFO ") || load_begins(at, line_end, "PONG")) return whole;
  if (load_begins(at, line_end, "PING")) {
    load_send(c, "PONG\r\n", 6);
    return whole;
  }
  /* HMSG is a status: no message came. */
  if (!load_begins(at, line_end, "MSG ")) {
    *event = WRONG;
    return whole;
  }
  size_t size = load_last_number(line_end);
  whole += size + 2;
  if ((size_t)(end - at) < whole) return 0;
  if (c->operation == PUT) {
    *event = memmem(line_end, size, "\"seq\":", 6) != NULL ? DONE : WRONG;
    return whole;
  }
  const char *reply = memmem(at, line_end - at, " $JS.ACK.", 9);
  if (reply == NULL || (int)size != body_bytes) {
    *event = WRONG;
    return whole;
  }
  reply++;
  size_t length = (const char *)memchr(reply, ' ', line_end - reply) - reply;
  load_sendf(c, "PUB %.*s 4\r\n+ACK\r\n", (int)length, reply);
  *event = DONE;
  return whole;
}

const struct protocol nats = {.name = "nats", .greet = greet, .put = put, .get = get, .take = take};
