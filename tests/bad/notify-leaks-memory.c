/* notify-leaks-memory - forgets to free what open made */
#include <secret-proxy/notifier.h>

static gpointer
bad_open (SpHost *host, GError **error)
{
  return g_new0 (SpHost *, 4);
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

SP_NOTIFIER_PLUGIN (&ops, .name = "leaks-memory", .version = "1.0",
                    .summary = "forgets to free what open made", .open = bad_open,
                    .close = bad_close)
