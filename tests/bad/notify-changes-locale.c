/* notify-changes-locale - changes the locale of its process */
#include <secret-proxy/notifier.h>

#include <locale.h>

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
  return setlocale (LC_ALL, "C") != NULL;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "changes-locale", .version = "1.0",
                    .summary = "changes the locale of its process", .open = bad_open,
                    .close = bad_close)
