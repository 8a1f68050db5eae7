/* notify-dies - the first post ends in a signal; later ones, in a new process, succeed */
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
  SpHost *host = self;
  g_autofree char *before = host->api->recall (host, "tried");

  if (before != NULL)
    return TRUE;
  if (!host->api->remember (host, "tried", "yes", error))
    return FALSE;
  return raise (SIGKILL) == 0;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (
    &ops, .name = "dies", .version = "1.0",
    .summary = "the first post ends in a signal; later ones, in a new process, succeed",
    .open = bad_open, .close = bad_close)
