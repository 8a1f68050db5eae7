/* notify.c - the points of notifiers: post and settle, in any order, and answers
 *
 * Whose answers a notifier passes on is a rule (host-api.c judges each); here are the occasions for it.
 */
#include "plugin/check/notice.h"

/* A plugin that answers by itself does it at once, or from a source of it. */
#define LISTEN_MS 200

static void
check_post (SpCheck *check)
{
  g_autoptr (SpCheckInstance) instance = sp_check_up (check, "first");

  if (instance == NULL || !sp_check_need_post (instance, sp_check_notice ()))
    return;
  sp_check_iterate (check, LISTEN_MS);
  (void) sp_check_need_settle (instance, sp_check_notice (), SP_OUTCOME_APPROVED);
}

static void
check_post_twice (SpCheck *check)
{
  g_autoptr (SpCheckInstance) instance = sp_check_up (check, "first");

  if (instance != NULL && sp_check_need_post (instance, sp_check_notice ()) &&
      sp_check_need_post (instance, sp_check_notice ()))
    (void) sp_check_need_settle (instance, sp_check_notice (), SP_OUTCOME_DENIED);
}

static void
check_information (SpCheck *check)
{
  g_autoptr (SpCheckInstance) instance = sp_check_up (check, "first");
  SpNotice notice = sp_check_notice_named ("check-information");

  notice.choices = NULL;
  notice.n_choices = 0;
  notice.expires_at = 0;
  if (instance != NULL && sp_check_need_post (instance, &notice))
    sp_check_iterate (check, LISTEN_MS);
}

static void
check_settle_unknown (SpCheck *check)
{
  g_autoptr (SpCheckInstance) instance = sp_check_up (check, "first");
  const SpNotice never = sp_check_notice_named ("check-never-shown");

  if (instance != NULL)
    (void) sp_check_need_settle (instance, &never, SP_OUTCOME_EXPIRED);
}

static void
check_settle_twice (SpCheck *check)
{
  g_autoptr (SpCheckInstance) instance = sp_check_up (check, "first");

  if (instance != NULL && sp_check_need_post (instance, sp_check_notice ()) &&
      sp_check_need_settle (instance, sp_check_notice (), SP_OUTCOME_CANCELLED))
    (void) sp_check_need_settle (instance, sp_check_notice (), SP_OUTCOME_CANCELLED);
}

static void
check_outcomes (SpCheck *check)
{
  g_autoptr (SpCheckInstance) instance = sp_check_up (check, "first");

  for (guint32 kind = SP_OUTCOME_APPROVED; instance != NULL && kind <= SP_OUTCOME_REVOKED; kind++) {
    g_autofree char *id = g_strdup_printf ("check-outcome-%u", kind);
    const SpNotice notice = sp_check_notice_named (id);

    if (!sp_check_need_post (instance, &notice) || !sp_check_need_settle (instance, &notice, kind))
      return;
  }
}

/* One that answers by itself meets each result that the core may give. */
static void
check_results (SpCheck *check)
{
  g_autoptr (SpCheckInstance) instance = sp_check_up (check, "first");

  for (guint i = 0; instance != NULL && i < 6; i++) {
    g_autofree char *id = g_strdup_printf ("check-result-%u", i);
    const SpNotice notice = sp_check_notice_named (id);

    if (!sp_check_need_post (instance, &notice))
      return;
  }
  if (instance != NULL)
    sp_check_iterate (check, LISTEN_MS);
}

static void
check_hostile (SpCheck *check)
{
  static const SpField fields[] = {
    { "Reason", "<b>urgent</b> & *bold* _it_ `x` [a](http://b) \\ ' \" %s %n ${x} $(x) ; |",
      SP_FIELD_AGENT },
    { "Reason", "\xf0\x9f\x9a\x80 caf\xc3\xa9 \xd0\xb4\xd0\xb0 \xe6\xbc\xa2", SP_FIELD_AGENT },
    { "Reason", "", SP_FIELD_AGENT },
  };
  g_autoptr (SpCheckInstance) instance = sp_check_up (check, "first");
  SpNotice notice = sp_check_notice_named ("check-hostile");

  notice.fields = fields;
  notice.n_fields = G_N_ELEMENTS (fields);
  if (instance != NULL && sp_check_need_post (instance, &notice))
    (void) sp_check_need_settle (instance, &notice, SP_OUTCOME_DENIED);
}

static const SpCheckCase cases[] = {
  { .name = "notify/post",
    .what = "it takes a notice, and its end",
    .mend =
        "post() shows the notice and returns TRUE once the channel has taken it; what its service "
        "needs is set in a file of --config",
    .run = check_post,
    .flags = SP_CASE_SERVICE },
  { .name = "notify/post-twice",
    .what = "the same notice may be posted again",
    .mend =
        "recall() what was sent under this id, and return TRUE where it was: the core repeats a "
        "post() after a crash",
    .run = check_post_twice,
    .flags = SP_CASE_SERVICE },
  { .name = "notify/information",
    .what = "it takes a notice without choices and without an end",
    .mend = "n_choices 0 means: only show it; expires_at 0 means: never",
    .run = check_information,
    .flags = SP_CASE_SERVICE },
  { .name = "notify/hostile-text",
    .what = "it takes whatever an agent may write",
    .mend = "escape each field for the channel; never build a command, a format or a URL of it",
    .run = check_hostile,
    .flags = SP_CASE_SERVICE },
  { .name = "notify/settle-unknown",
    .what = "it takes the end of a notice that was never shown",
    .mend = "let settle() return TRUE where there is nothing to close",
    .run = check_settle_unknown,
    .flags = SP_CASE_SERVICE },
  { .name = "notify/settle-twice",
    .what = "the end of a notice may be told again",
    .mend = "let settle() return TRUE where there is nothing left to close",
    .run = check_settle_twice,
    .flags = SP_CASE_SERVICE },
  { .name = "notify/outcomes",
    .what = "it knows each outcome",
    .mend = "show the outcome's text, whatever its kind",
    .run = check_outcomes,
    .flags = SP_CASE_SERVICE },
  { .name = "notify/results",
    .what = "it bears each result of an answer",
    .mend = "look at what answer() returned: not allowed, too late and unknown are no errors of "
            "post(); after SP_ANSWER_TRY_AGAIN keep the answer",
    .run = check_results,
    .flags = SP_CASE_SERVICE },
};

const SpCheckGroup sp_check_notify_group = { SP_KIND_NOTIFIER, cases, G_N_ELEMENTS (cases) };
