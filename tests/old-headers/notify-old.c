/* notify-old - a plugin of an earlier day: built against the headers beside it, loaded by the core of today
 *
 * It uses all that those headers offer: options, memory, alarms, answers, and what it is told to settle.
 */
#include <secret-proxy/notifier.h>

static gpointer
old_open (SpHost *host, GError **error)
{
  return host;
}

static gboolean
old_start (gpointer self, GCancellable *cancellable, GError **error)
{
  SpHost *host = self;

  host->api->broken (host, NULL);
  return TRUE;
}

static void
old_close (gpointer self)
{
}

static char *
old_render (const SpNotice *notice)
{
  GString *text = g_string_new (notice->title);

  for (gsize i = 0; i < notice->n_fields; i++)
    g_string_append_printf (text, " %s=%s", notice->fields[i].label, notice->fields[i].value);
  return g_string_free (text, FALSE);
}

static void
answer (SpHost *host, const SpNotice *notice)
{
  const SpAnswer given = { .size = sizeof given,
                           .notice_id = notice->id,
                           .choice_id = notice->choices[0].id,
                           .person = host->api->people (host)[0],
                           .evidence = sp_config_string (host, "room") };
  g_autofree char *text = NULL;
  SpAnswerResult result = sp_answer (host, &given, &text);
  g_autofree char *what = g_strdup_printf ("answered: %d, %s", (int) result, text ? text : "-");

  host->api->alarm (host, what);
}

static gboolean
old_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  SpHost *host = self;
  g_autofree char *text = old_render (notice);

  if (!host->api->remember (host, notice->id, text, error))
    return FALSE;
  host->api->alarm (host, text);
  if (notice->n_choices > 0)
    answer (host, notice);
  return TRUE;
}

static gboolean
old_settle (gpointer self, const SpNotice *notice, const SpOutcome *outcome,
            GCancellable *cancellable, GError **error)
{
  SpHost *host = self;
  g_autofree char *before = host->api->recall (host, notice->id);
  g_autofree char *what = g_strdup_printf ("%s: %s", before ? before : "-", outcome->text);

  host->api->alarm (host, what);
  return host->api->remember (host, notice->id, NULL, error);
}

static const SpOption options[] = {
  { .key = "room", .type = SP_OPTION_STRING, .fallback = "lobby", .help = "where people wait" },
};

static const SpNotifierOps ops = {
  .post = old_post,
  .settle = old_settle,
  .render = old_render,
};

SP_NOTIFIER_PLUGIN (&ops, .name = "old", .version = "1.0", .summary = "built long ago",
                    SP_OPTIONS (options), .open = old_open, .start = old_start, .close = old_close)
