/* notify-lacks-library - calls what no library of it has */
#include <secret-proxy/notifier.h>

extern int sp_nowhere_at_all (void);

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
  return sp_nowhere_at_all () != 0;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "lacks-library", .version = "1.0",
                    .summary = "calls what no library of it has", .open = bad_open,
                    .close = bad_close)
