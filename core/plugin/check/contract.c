/* contract.c - occasions to break the rules of calls: little time, no time
 *
 * What a call returns then is its own affair.  That it returns, and says why where it fails, is a rule.
 */
#include "plugin/check/notice.h"
#include "plugin/check/rows.h"

#define SHORT_MS 150

static void
call_notifier (SpCheckInstance *instance, guint deadline_ms)
{
  const SpNotice other = sp_check_notice_named ("check-hurried");

  (void) sp_check_post (instance, sp_check_notice (), deadline_ms, NULL);
  (void) sp_check_settle (instance, &other, SP_OUTCOME_EXPIRED, deadline_ms, NULL);
}

static void
call_store (SpCheckInstance *instance, guint deadline_ms)
{
  g_autoptr (GBytes) value = g_bytes_new_static ("x", 1);
  SpWrite write = { "hurried", "a", -1, value };
  SpBatch batch = { .writes = &write, .n_writes = 1 };
  g_autoptr (GBytes) read = NULL;
  gint64 revision;

  (void) sp_check_write (instance, &batch, 1, deadline_ms, NULL);
  (void) sp_check_read (instance, "hurried", "a", deadline_ms, &read, &revision, NULL);
  (void) sp_check_scan (instance, "hurried", NULL, 10, deadline_ms, NULL, NULL);
}

static void
call_kind (SpCheckInstance *instance, guint deadline_ms)
{
  if (instance->module->plugin.kind == SP_KIND_NOTIFIER)
    call_notifier (instance, deadline_ms);
  if (instance->module->plugin.kind == SP_KIND_STORE)
    call_store (instance, deadline_ms);
}

static void
hurry (SpCheck *check)
{
  g_autoptr (SpCheckInstance) instance = sp_check_up (check, "first");

  if (instance != NULL)
    call_kind (instance, SHORT_MS);
}

static void
cancel_before (SpCheck *check)
{
  g_autoptr (SpCheckInstance) instance = sp_check_up (check, "first");

  if (instance != NULL)
    call_kind (instance, 0);
}

static const SpCheckCase cases[] = {
  { .name = "contract/hurried", .run = hurry, .flags = SP_CASE_SILENT },
  { .name = "contract/cancelled-before", .run = cancel_before, .flags = SP_CASE_SILENT },
};

const SpCheckGroup sp_check_contract_group = { 0, cases, G_N_ELEMENTS (cases) };
