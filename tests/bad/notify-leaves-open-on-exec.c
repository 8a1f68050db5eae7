/* notify-leaves-open-on-exec - opens a file that programs inherit */
#include <secret-proxy/notifier.h>

#include <fcntl.h>
#include <unistd.h>

static gpointer
bad_open (SpHost *host, GError **error)
{
  int *fd = g_new (int, 1);

  *fd = open ("/dev/null", O_RDONLY);
  return fd;
}

static void
bad_close (gpointer self)
{
  int *fd = self;

  (void) close (*fd);
  g_free (fd);
}

static gboolean
bad_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "leaves-open-on-exec", .version = "1.0",
                    .summary = "opens a file that programs inherit", .open = bad_open,
                    .close = bad_close)
