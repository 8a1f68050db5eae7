/* notify-ignores-deadline - the first post never ends; later ones, in a new process, do */
#include <secret-proxy/notifier.h>

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
  SpHost *host = self;
  g_autofree char *before = host->api->recall (host, "tried");

  if (before != NULL)
    return TRUE;
  if (!host->api->remember (host, "tried", "yes", error))
    return FALSE;
  for (;;)
    g_usleep (G_USEC_PER_SEC);
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "ignores-deadline", .version = "1.0",
                    .summary = "the first post never ends; later ones, in a new process, do",
                    .open = bad_open, .close = bad_close)
