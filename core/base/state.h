/* state.h - where the host keeps its vaults and images
 *
 * /var/lib/secret-proxy, or $SECRET_PROXY_STATE_DIR: for tests, and for trying as an ordinary user.
 */
#pragma once

#include <glib.h>

/* Absolute; not made here.  Free it. */
char *sp_state_dir (void);
