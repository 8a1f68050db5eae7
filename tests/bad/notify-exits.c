/* notify-exits - ends its process with a success */
#include <secret-proxy/notifier.h>

#include <stdlib.h>

static gpointer
bad_open (SpHost *host, GError **error)
{
  return host;
}

static void
bad_close (gpointer self)
{
}

static gboolean
bad_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  if (notice->id != NULL)
    exit (0);
  return TRUE;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "exits", .version = "1.0",
                    .summary = "ends its process with a success", .open = bad_open,
                    .close = bad_close)
