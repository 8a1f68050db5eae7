/* notify-shares-state - has one instance for all */
#include <secret-proxy/notifier.h>

static gpointer
bad_open (SpHost *host, GError **error)
{
  static int instance;

  return host != NULL ? &instance : NULL;
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

SP_NOTIFIER_PLUGIN (&ops, .name = "shares-state", .version = "1.0",
                    .summary = "has one instance for all", .open = bad_open, .close = bad_close)
