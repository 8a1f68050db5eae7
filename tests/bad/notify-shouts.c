/* notify-shouts - its errors are no sentences of the core */
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
  g_set_error_literal (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "The service is away.");
  return FALSE;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "shouts", .version = "1.0",
                    .summary = "its errors are no sentences of the core", .open = bad_open,
                    .close = bad_close)
