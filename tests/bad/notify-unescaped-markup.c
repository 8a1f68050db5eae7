/* notify-unescaped-markup - writes HTML, and lets tags of an agent through */
#include <secret-proxy/notifier.h>

static void
append (GString *text, const char *value)
{
  g_string_append (text, "<b>");
  for (; *value != '\0'; value = g_utf8_next_char (value)) {
    gunichar c = g_utf8_get_char (value);
    GUnicodeType type = g_unichar_type (c);

    if (type != G_UNICODE_CONTROL && type != G_UNICODE_FORMAT)
      g_string_append_unichar (text, c);
  }
  g_string_append (text, "</b>");
}

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
    const SpField *field = &notice->fields[i];

    g_string_append_printf (text, "\n%s%s: ", field->label,
                            field->origin == SP_FIELD_AGENT ? " (claimed)" : "");
    append (text, field->value);
  }
  return g_string_free (text, FALSE);
}

static const SpNotifierOps ops = { .post = bad_post, .render = bad_render };

SP_NOTIFIER_PLUGIN (&ops, .name = "unescaped-markup", .version = "1.0",
                    .summary = "writes HTML, and lets tags of an agent through", .open = bad_open,
                    .close = bad_close)
