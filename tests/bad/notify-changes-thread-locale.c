/* notify-changes-thread-locale - leaves a locale of its own to the thread */
#include <locale.h>

#include <secret-proxy/notifier.h>

static gpointer
bad_open (SpHost *host, GError **error)
{
  return newlocale (LC_ALL_MASK, "C.UTF-8", (locale_t) 0);
}

static void
bad_close (gpointer self)
{
  (void) uselocale (LC_GLOBAL_LOCALE);
  freelocale ((locale_t) self);
}

static gboolean
bad_start (gpointer self, GCancellable *cancellable, GError **error)
{
  (void) uselocale ((locale_t) self);
  return TRUE;
}

static gboolean
bad_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "changes-thread-locale", .version = "1.0",
                    .summary = "leaves a locale of its own to the thread", .open = bad_open,
                    .start = bad_start, .close = bad_close)
