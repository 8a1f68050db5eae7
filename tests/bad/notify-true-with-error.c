/* notify-true-with-error - succeeds and sets an error all the same */
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
  g_set_error (error, SP_ERROR, SP_ERROR_REFUSED, "no");
  return TRUE;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "true-with-error", .version = "1.0",
                    .summary = "succeeds and sets an error all the same", .open = bad_open,
                    .close = bad_close)
