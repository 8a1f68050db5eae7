/* state.c - state.h */
#include "base/state.h"

#define STATE_DIR "/var/lib/secret-proxy"
#define VARIABLE "SECRET_PROXY_STATE_DIR"

char *
sp_state_dir (void)
{
  const char *given = g_getenv (VARIABLE);

  return g_canonicalize_filename (given != NULL && *given != 0 ? given : STATE_DIR, "/");
}
