/* notify-changes-environment - changes the environment of its process */
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
  return g_setenv ("BAD_PLUGIN", "was here", TRUE);
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "changes-environment", .version = "1.0",
                    .summary = "changes the environment of its process", .open = bad_open,
                    .close = bad_close)
