/* notify-hangs-in-open - open never returns */
#include <secret-proxy/notifier.h>

static gpointer
bad_open (SpHost *host, GError **error)
{
  for (;;)
    g_usleep (G_USEC_PER_SEC);
  return host;
}

static void
bad_close (gpointer self)
{
}

static gboolean
bad_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "hangs-in-open", .version = "1.0",
                    .summary = "open never returns", .open = bad_open, .close = bad_close)
