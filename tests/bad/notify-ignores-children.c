/* notify-ignores-children - lets nobody hear of the end of a child */
#include <signal.h>

#include <secret-proxy/notifier.h>

static gpointer
bad_open (SpHost *host, GError **error)
{
  (void) signal (SIGCHLD, SIG_IGN);
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

SP_NOTIFIER_PLUGIN (&ops, .name = "ignores-children", .version = "1.0",
                    .summary = "lets nobody hear of the end of a child", .open = bad_open,
                    .close = bad_close)
