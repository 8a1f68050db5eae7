/* notify-unmarked-agent - shows what an agent claims like what the core says */
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
bad_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

static char *
bad_render (const SpNotice *notice)
{
  GString *text = g_string_new (notice->title);

  for (gsize i = 0; i < notice->n_fields; i++) {
    g_autofree char *value = g_strescape (notice->fields[i].value, NULL);

    g_string_append_printf (text, "\n%s: %s", notice->fields[i].label, value);
  }
  return g_string_free (text, FALSE);
}

static const SpNotifierOps ops = { .post = bad_post, .render = bad_render };

SP_NOTIFIER_PLUGIN (&ops, .name = "unmarked-agent", .version = "1.0",
                    .summary = "shows what an agent claims like what the core says",
                    .open = bad_open, .close = bad_close)
