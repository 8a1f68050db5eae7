/* notify-troubled - says with each post that it can not do its work, or can again */
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
  g_autoptr (GError) why = g_error_new (SP_ERROR, SP_ERROR_UNAVAILABLE, "the service is away");

  host->api->broken (host, notice->n_fields > 0 ? why : NULL);
  return TRUE;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "troubled", .version = "1.0",
                    .summary = "says with each post that it can not do its work, or can again",
                    .open = bad_open, .close = bad_close)
