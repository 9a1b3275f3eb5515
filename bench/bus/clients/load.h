/* The load generator of the clients in C; the same as load.ts, and contract.ts says what both do. */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>

/* Where the system's own arguments begin. */
enum { LOAD_ARGUMENTS = 8 };

struct load_group {
  /* Takes one message for the group; 0 when it can't now. */
  int (*send)(const void *body, size_t size);
  /* Gives all that has come to load_deliver; waits up to so many ms for the first. */
  void (*receive)(int timeout_ms);
};

void load_deliver(const void *body, size_t size);

/* Sends, receives and measures; prints the report and returns. The group has been joined. */
void load_run(char **argv, const struct load_group *group);

/* Ends the program when it isn't true. */
void load_must(int holds, const char *what);

#endif
