/* notify-obedient - a notifier that keeps every rule, and lets a test ask the vault whatever a person may ask
 *
 * What an agent gives as its reason is asked of the vault as the first listed person, and the answer is
 * told in an alarm.  It decides nothing.
 */
#include <string.h>

#include <secret-proxy/notifier.h>

static gpointer
obedient_open (SpHost *host, GError **error)
{
  return host;
}

static void
obedient_close (gpointer self)
{
}

static void
ask (SpHost *host, const char *command)
{
  const char *const *people = host->api->people (host);
  g_autofree char *text = NULL;
  SpAnswerResult result = host->api->command (host, people[0], command, "a reason", &text);
  g_autofree char *what =
      g_strdup_printf ("%s: %d, %s", command, (int) result, text != NULL ? text : "-");

  host->api->alarm (host, what);
}

static gboolean
obedient_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  for (gsize i = 0; i < notice->n_fields; i++)
    if (notice->fields[i].origin == SP_FIELD_AGENT && SP_HOST_HAS ((SpHost *) self, command))
      ask (self, notice->fields[i].value);
  return TRUE;
}

static const SpNotifierOps ops = { .post = obedient_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "obedient", .version = "1.0",
                    .summary = "asks the vault what agents write", .open = obedient_open,
                    .close = obedient_close)
