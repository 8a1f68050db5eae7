/* plugin-spawn.h - start a plugin host on the host, and see it off
 *
 * `secret-proxyd --role plugin-host` of the program beside this one.  It dies with this process, or with
 * the thread that started it: start it on the main thread.
 */
#pragma once

#include <gio/gio.h>

#include "base/user.h"

typedef struct {
  const char *state;  /* the folder where plugins have theirs */
  int link_fd;        /* taken, also on failure */
  int given_fd;       /* see plugin/given.h; taken, also on failure; -1: none */
  const SpUser *user; /* NULL: as this process */
} SpPluginSpawn;

GSubprocess *sp_plugin_spawn (const SpPluginSpawn *how, GError **error);

/* Its link is closed: wait until it has ended, killing it after 3 seconds.  Nothing of the thread's own
 * context runs meanwhile. */
void sp_plugin_see_off (GSubprocess *process);
