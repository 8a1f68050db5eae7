/* fuzz-rpc.c - a line that is read can be written again */
#include <stddef.h>
#include <stdint.h>

#include "base/rpc.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *line = g_memdup2 (data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (SpRpcMessage) message = sp_rpc_read (line, size, &error);
  g_autoptr (SpSecret) written = NULL;

  g_assert_true ((message == NULL) == (error != NULL));
  if (message == NULL || size > SP_RPC_MAX_LINE / 8)
    return 0;
  written = sp_rpc_write (message, NULL);
  g_assert_true (written != NULL);
  return 0;
}
