/* notify-leaks-process - starts a program and leaves it running */
#include <secret-proxy/notifier.h>

static gpointer
bad_open (SpHost *host, GError **error)
{
  static const char *const argv[] = { "/bin/sleep", "60", NULL };
  g_autoptr (GSubprocess) process = g_subprocess_newv (argv, G_SUBPROCESS_FLAGS_NONE, error);

  return process != NULL ? host : NULL;
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

SP_NOTIFIER_PLUGIN (&ops, .name = "leaks-process", .version = "1.0",
                    .summary = "starts a program and leaves it running", .open = bad_open,
                    .close = bad_close)
