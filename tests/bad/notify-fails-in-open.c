/* notify-fails-in-open - open always says that the admin must do something */
#include <secret-proxy/notifier.h>

static gpointer
bad_open (SpHost *host, GError **error)
{
  if (host != NULL) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "no such chat");
    return NULL;
  }
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

SP_NOTIFIER_PLUGIN (&ops, .name = "fails-in-open", .version = "1.0",
                    .summary = "open always says that the admin must do something",
                    .open = bad_open, .close = bad_close)
