/* One member of the group over Corosync's closed process groups: see contract.ts. No arguments of its own. */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "load.h"

static cpg_handle_t handle;
static int file;

static void on_deliver(cpg_handle_t from, const struct cpg_name *group, uint32_t node, uint32_t pid, void *message,
                       size_t size) {
  (void)from, (void)group, (void)node, (void)pid;
  load_deliver(message, size);
}

static void on_change(cpg_handle_t from, const struct cpg_name *group, const struct cpg_address *members,
                      size_t member_count, const struct cpg_address *left, size_t left_count,
                      const struct cpg_address *joined, size_t joined_count) {
  (void)from, (void)group, (void)members, (void)member_count;
  (void)left, (void)left_count, (void)joined, (void)joined_count;
}

static int send_message(const void *body, size_t size) {
  struct iovec part = {(void *)body, size};
  cs_error_t error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1);
  load_must(error == CS_OK || error == CS_ERR_TRY_AGAIN, "cpg_mcast_joined failed");
  return error == CS_OK;
}

static void receive(int timeout_ms) {
  struct pollfd ready = {file, POLLIN, 0};
  if (poll(&ready, 1, timeout_ms) <= 0) return;
  cs_error_t error = cpg_dispatch(handle, CS_DISPATCH_ALL);
  load_must(error == CS_OK || error == CS_ERR_TRY_AGAIN, "cpg_dispatch failed");
}

int main(int argc, char **argv) {
  load_must(argc == LOAD_ARGUMENTS, "wrong arguments");
  cpg_model_v1_data_t callbacks;
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.cpg_deliver_fn = on_deliver;
  callbacks.cpg_confchg_fn = on_change;
  load_must(cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&callbacks, NULL) == CS_OK,
            "no connection to corosync");
  load_must(cpg_fd_get(handle, &file) == CS_OK, "corosync's connection has no file");
  struct cpg_name group = {.length = 5, .value = "bench"};
  load_must(cpg_join(handle, &group) == CS_OK, "cpg_join failed");
  struct load_group calls = {send_message, receive};
  load_run(argv, &calls);
  cpg_finalize(handle);
  return 0;
}
