/* notify-honest - a notifier that keeps every rule, for tests of what surrounds it
 *
 * It counts its posts in the core's memory and tells of each in an alarm; where a notice has choices
 * it answers at once with the first, as the first listed person.
 */
#include <secret-proxy/notifier.h>

static gpointer
honest_open (SpHost *host, GError **error)
{
  return host;
}

static void
honest_close (gpointer self)
{
}

static void
answer (SpHost *host, const SpNotice *notice)
{
  const char *const *people = host->api->people (host);
  const SpAnswer given = { .size = sizeof given,
                           .notice_id = notice->id,
                           .choice_id = notice->choices[0].id,
                           .person = people[0] };
  g_autofree char *text = NULL;
  SpAnswerResult result = sp_answer (host, &given, &text);
  g_autofree char *what = g_strdup_printf ("answered: %d, %s", (int) result, text ? text : "-");

  host->api->alarm (host, what);
}

static gboolean
honest_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  SpHost *host = self;
  g_autofree char *before = host->api->recall (host, "posts");
  gint64 n = before != NULL ? g_ascii_strtoll (before, NULL, 10) + 1 : 1;
  g_autofree char *count = g_strdup_printf ("%" G_GINT64_FORMAT, n);
  g_autoptr (GBytes) token = host->api->config_secret (host, "token");
  g_autofree char *what =
      g_strdup_printf ("post %s of %s, every %" G_GINT64_FORMAT " ms, token of %" G_GSIZE_FORMAT,
                       count, notice->title, sp_config_int (host, "interval"),
                       token != NULL ? g_bytes_get_size (token) : 0);

  if (!host->api->remember (host, "posts", count, error))
    return FALSE;
  host->api->alarm (host, what);
  if (notice->n_choices > 0)
    answer (host, notice);
  return TRUE;
}

static gboolean
honest_settle (gpointer self, const SpNotice *notice, const SpOutcome *outcome,
               GCancellable *cancellable, GError **error)
{
  g_autofree char *what = g_strdup_printf ("settled: %s", outcome->text);
  SpHost *host = self;

  host->api->alarm (host, what);
  return TRUE;
}

static const SpNotifierOps ops = { .post = honest_post, .settle = honest_settle };

static const SpOption options[] = {
  { .key = "interval",
    .type = SP_OPTION_DURATION,
    .fallback = "2s",
    .min = 100,
    .max = 60000,
    .help = "how often nothing happens" },
  { .key = "token", .type = SP_OPTION_SECRET, .help = "a token that nobody needs" },
};

SP_NOTIFIER_PLUGIN (&ops, .name = "honest", .version = "1.0", .summary = "keeps every rule",
                    SP_OPTIONS (options), .open = honest_open, .close = honest_close)
