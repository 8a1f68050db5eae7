/* notify-dies-on-load - ends its process while it is loaded */
#include <secret-proxy/notifier.h>

#include <signal.h>

__attribute__ ((constructor)) static void
die (void)
{
  raise (SIGKILL);
}

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

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "dies-on-load", .version = "1.0",
                    .summary = "ends its process while it is loaded", .open = bad_open,
                    .close = bad_close)
