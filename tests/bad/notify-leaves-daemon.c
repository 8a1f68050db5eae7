/* notify-leaves-daemon - leaves a process of another session behind */
#include <unistd.h>

#include <secret-proxy/notifier.h>

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
bad_start (gpointer self, GCancellable *cancellable, GError **error)
{
  pid_t pid = fork ();

  if (pid == 0) {
    (void) setsid ();
    for (;;)
      (void) pause ();
  }
  return TRUE;
}

static gboolean
bad_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "leaves-daemon", .version = "1.0",
                    .summary = "leaves a process of another session behind", .open = bad_open,
                    .start = bad_start, .close = bad_close)
