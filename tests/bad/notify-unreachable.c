/* notify-unreachable - can't show what has a claim of an agent in it, and never says that it is broken */
#include <secret-proxy/notifier.h>

static gpointer
unreachable_open (SpHost *host, GError **error)
{
  return host;
}

static void
unreachable_close (gpointer self)
{
}

static gboolean
unreachable_post (gpointer self, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  gboolean claims = FALSE;

  for (gsize i = 0; i < notice->n_fields; i++)
    claims = claims || notice->fields[i].origin == SP_FIELD_AGENT;
  if (claims)
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "the pigeon is out");
  return !claims;
}

static const SpNotifierOps ops = { .post = unreachable_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "unreachable", .version = "1.0",
                    .summary = "does not get through with what agents write",
                    .open = unreachable_open, .close = unreachable_close)
