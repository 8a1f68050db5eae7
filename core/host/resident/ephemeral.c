/* ephemeral.c - ephemeral.h on mkdtemp(3) and nftw(3) */
#include "host/resident/ephemeral.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/problem.h"

#define TEMPLATE "secret-proxy-XXXXXX"
#define MAX_OPEN 8 /* folders, of those above one another */

char *
sp_ephemeral_make (GError **error)
{
  const char *const places[] = { g_getenv ("XDG_RUNTIME_DIR"), "/dev/shm", g_get_tmp_dir () };

  for (gsize i = 0; i < G_N_ELEMENTS (places); i++) {
    g_autofree char *path = places[i] != NULL && g_path_is_absolute (places[i])
                                ? g_build_filename (places[i], TEMPLATE, NULL)
                                : NULL;

    if (path != NULL && mkdtemp (path) != NULL)
      return g_steal_pointer (&path);
  }
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make a folder in %s: %s",
               g_get_tmp_dir (), g_strerror (errno));
  return NULL;
}

static int
remove_one (const char *path, const struct stat *st, int type, struct FTW *where)
{
  if (remove (path) != 0)
    g_printerr ("secret-proxy: cannot remove %s: %s\n", path, g_strerror (errno));
  return 0;
}

void
sp_ephemeral_remove (const char *path)
{
  (void) nftw (path, remove_one, MAX_OPEN, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
