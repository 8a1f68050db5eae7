/* notify-prints-on-load - prints while it is loaded, which must not get into results */
#include <secret-proxy/notifier.h>

__attribute__ ((constructor)) static void
print (void)
{
  g_print ("hello\n");
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

SP_NOTIFIER_PLUGIN (&ops, .name = "prints-on-load", .version = "1.0",
                    .summary = "prints while it is loaded, which must not get into results",
                    .open = bad_open, .close = bad_close)
