/* notify-leaks-descriptor - opens a file in open and never closes it */
#include <secret-proxy/notifier.h>

#include <fcntl.h>

static gpointer
bad_open (SpHost *host, GError **error)
{
  if (open ("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
    g_set_error_literal (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "cannot open /dev/null");
  return *error == NULL ? host : NULL;
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

SP_NOTIFIER_PLUGIN (&ops, .name = "leaks-descriptor", .version = "1.0",
                    .summary = "opens a file in open and never closes it", .open = bad_open,
                    .close = bad_close)
