/* notify-prints - prints each notice to stdout */
#include <secret-proxy/notifier.h>

#include <stdio.h>

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
  return printf ("%s\n", notice->title) > 0;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "prints", .version = "1.0",
                    .summary = "prints each notice to stdout", .open = bad_open, .close = bad_close)
