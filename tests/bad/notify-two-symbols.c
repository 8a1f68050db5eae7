/* notify-two-symbols - exports more than one symbol */
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
  return TRUE;
}

G_MODULE_EXPORT int helper (void);

int
helper (void)
{
  return 1;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "two-symbols", .version = "1.0",
                    .summary = "exports more than one symbol", .open = bad_open, .close = bad_close)
