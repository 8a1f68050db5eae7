/* notice.c - notice.h */
#include "plugin/check/notice.h"

/* Far away, so that no plugin finds it expired. */
#define EXPIRES G_GINT64_CONSTANT (4102444800)

static const SpField fields[] = {
  { "Asked by", SP_CHECK_CORE_VALUE, SP_FIELD_CORE },
  { "Reason", SP_CHECK_AGENT_VALUE, SP_FIELD_AGENT },
};

static const SpChoice choices[] = {
  { "approve", "Approve", SP_CHOICE_APPROVE },
  { "deny", "Deny", SP_CHOICE_DENY },
};

static const SpNotice plain = { .size = sizeof (SpNotice),
                                .id = "check-notice-1",
                                .title = SP_CHECK_TITLE,
                                .fields = fields,
                                .n_fields = G_N_ELEMENTS (fields),
                                .choices = choices,
                                .n_choices = G_N_ELEMENTS (choices),
                                .expires_at = EXPIRES };

const SpNotice *
sp_check_notice (void)
{
  return &plain;
}

SpNotice
sp_check_notice_named (const char *id)
{
  SpNotice notice = plain;

  notice.id = id;
  return notice;
}

gboolean
sp_check_post (SpCheckInstance *instance, const SpNotice *notice, guint deadline_ms, GError **error)
{
  GCancellable *cancellable;
  GError *why = NULL;
  gboolean ok;

  sp_check_note_notice (instance, notice);
  cancellable = sp_check_enter (instance->check, "post()", deadline_ms);
  ok = instance->module->notifier.post (instance->self, notice, cancellable, &why);
  return sp_check_finish (instance, ok, why, error);
}

gboolean
sp_check_settle (SpCheckInstance *instance, const SpNotice *notice, guint32 kind, guint deadline_ms,
                 GError **error)
{
  const SpOutcome outcome = { .size = sizeof outcome,
                              .kind = kind,
                              .text = "decided by alice at 12:00" };
  SpNotice without = *notice;
  GCancellable *cancellable;
  GError *why = NULL;
  gboolean ok;

  if (instance->module->notifier.settle == NULL)
    return TRUE;
  without.choices = NULL;
  without.n_choices = 0;
  cancellable = sp_check_enter (instance->check, "settle()", deadline_ms);
  ok = instance->module->notifier.settle (instance->self, &without, &outcome, cancellable, &why);
  return sp_check_finish (instance, ok, why, error);
}

gboolean
sp_check_need_post (SpCheckInstance *instance, const SpNotice *notice)
{
  g_autoptr (GError) error = NULL;
  gboolean ok = sp_check_post (instance, notice, SP_CHECK_USUAL_MS, &error);

  return sp_check_need (instance->check, "post()", ok, error);
}

gboolean
sp_check_need_settle (SpCheckInstance *instance, const SpNotice *notice, guint32 kind)
{
  g_autoptr (GError) error = NULL;
  gboolean ok = sp_check_settle (instance, notice, kind, SP_CHECK_USUAL_MS, &error);

  return sp_check_need (instance->check, "settle()", ok, error);
}
