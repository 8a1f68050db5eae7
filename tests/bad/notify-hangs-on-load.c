/* notify-hangs-on-load - never gets past its own loading */
#include <secret-proxy/notifier.h>

__attribute__ ((constructor)) static void
hang (void)
{
  for (;;)
    g_usleep (G_USEC_PER_SEC);
}

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
  return TRUE;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "hangs-on-load", .version = "1.0",
                    .summary = "never gets past its own loading", .open = bad_open,
                    .close = bad_close)
