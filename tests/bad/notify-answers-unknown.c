/* notify-answers-unknown - answers a notice that it was never given */
#include <secret-proxy/notifier.h>

static void
answer (SpHost *host, const char *notice, const char *person)
{
  const SpAnswer given = {
    .size = sizeof given, .notice_id = notice, .choice_id = "approve", .person = person
  };

  (void) sp_answer (host, &given, NULL);
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
  SpHost *host = self;

  answer (host, "another-notice", host->api->people (host)[0]);
  return TRUE;
}

static const SpNotifierOps ops = { .post = bad_post };

SP_NOTIFIER_PLUGIN (&ops, .name = "answers-unknown", .version = "1.0",
                    .summary = "answers a notice that it was never given", .open = bad_open,
                    .close = bad_close)
