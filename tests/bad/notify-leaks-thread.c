/* notify-leaks-thread - has a thread that never ends */
#include <secret-proxy/notifier.h>

static gpointer
work (gpointer data)
{
  for (;;)
    g_usleep (G_USEC_PER_SEC);
  return NULL;
}

static gpointer
bad_open (SpHost *host, GError **error)
{
  g_thread_unref (g_thread_new ("poller", work, NULL));
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

SP_NOTIFIER_PLUGIN (&ops, .name = "leaks-thread", .version = "1.0",
                    .summary = "has a thread that never ends", .open = bad_open, .close = bad_close)
