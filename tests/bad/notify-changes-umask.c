/* notify-changes-umask - changes the umask of its process */
#include <secret-proxy/notifier.h>

#include <sys/stat.h>

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
  (void) umask (0);
  return TRUE;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "changes-umask", .version = "1.0",
                    .summary = "changes the umask of its process", .open = bad_open,
                    .close = bad_close)
