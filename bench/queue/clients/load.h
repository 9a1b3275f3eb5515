#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>

/* What load.c and the protocols agree on. See contract.ts for what a run of the program is given and prints. */

enum operation { PUT, GET };

/* What a piece of input means: an operation was answered, the wrong way, or there is more to come. */
enum event { NOTHING, DONE, WRONG };

struct connection {
  int socket;
  int index;
  enum operation operation;
  /* Requests of this burst that are not answered. */
  int open;
  /* Bytes to be sent, and how many of them are. */
  char *out;
  size_t out_bytes, out_sent;
  /* Bytes received, and those that have been taken. */
  char *in;
  size_t in_end, in_from;
  unsigned long long burst_ns;
};

struct protocol {
  const char *name;
  /* Sent once after connecting; may be NULL. Nothing may be answered to it but what `take` calls NOTHING. */
  void (*greet)(struct connection *c);
  /* Appends `count` requests to what is to be sent. */
  void (*put)(struct connection *c, int count);
  void (*get)(struct connection *c, int count);
  /* Bytes of the first whole reply in [at, end), 0 if there is none yet; it may send something in turn. */
  size_t (*take)(struct connection *c, const char *at, const char *end, enum event *event);
};

extern const char *queue_name;
/* A put of whatever protocol ends with it. */
extern const char *body;
extern int body_bytes;

extern const struct protocol memcache, reliable, beanstalk, redis, nats;

void load_must(int holds, const char *what);
void load_send(struct connection *c, const char *bytes, size_t count);
/* The same, as printf. */
void load_sendf(struct connection *c, const char *format, ...);
/* `count` times the same request. */
void load_repeat(struct connection *c, const char *request, size_t bytes, int count);

/* Where the line at `at` ends, behind its \r\n; NULL if it isn't whole. */
const char *load_line(const char *at, const char *end);
/* The number that is the last word of the line before `line_end`. */
size_t load_last_number(const char *line_end);
int load_begins(const char *at, const char *line_end, const char *with);

#endif
