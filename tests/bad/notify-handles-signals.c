/* notify-handles-signals - takes a signal for itself */
#include <secret-proxy/notifier.h>

#include <signal.h>

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
  return signal (SIGUSR1, SIG_IGN) != SIG_ERR;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "handles-signals", .version = "1.0",
                    .summary = "takes a signal for itself", .open = bad_open, .close = bad_close)
