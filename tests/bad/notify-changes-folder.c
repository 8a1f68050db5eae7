/* notify-changes-folder - changes the working directory of its process */
#include <secret-proxy/notifier.h>

#include <unistd.h>

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
  return chdir ("/") == 0;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "changes-folder", .version = "1.0",
                    .summary = "changes the working directory of its process", .open = bad_open,
                    .close = bad_close)
