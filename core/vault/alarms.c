/* alarms.c - what a person should look into: written down, and told to those whom it does not come from
 *
 * What must stay true: a stranger's taps fill neither the audit log nor the other channels, and don't
 * keep anything else out of them.
 */
#include "base/text.h"
#include "vault/infos.h"

#define ALARMS_A_MINUTE 30
#define TEXT_CHARS 300
#define STORM 10 /* answers within a minute of people who are not listed */

typedef enum {
  ALARM_OF_NOTIFIER, /* it says so itself */
  ALARM_REFUSED,     /* it can reach nobody */
  ALARM_TROUBLE,     /* it can't do its work, and somebody waits for it */
  ALARM_STRANGER,    /* an answer that did not count */
  ALARM_STORM,       /* many of them */
  ALARM_WRONG_CODE,
  N_ALARMS
} Alarm;

/* Of each kind the other channels are shown at most so many of one notifier within the hour. */
static const struct {
  const char *kind;
  guint most;
} alarms[N_ALARMS] = {
  [ALARM_OF_NOTIFIER] = { "alarm", 4 }, [ALARM_REFUSED] = { "refused", 1 },
  [ALARM_TROUBLE] = { "trouble", 1 },   [ALARM_STRANGER] = { "stranger", 0 },
  [ALARM_STORM] = { "storm", 1 },       [ALARM_WRONG_CODE] = { "wrong-code", 2 },
};

static gboolean
may_write (SpVault *vault)
{
  gint64 minute = sp_clock_boot_ms (vault->clock) / 60000;

  if (minute != vault->alarms_minute)
    vault->alarms = 0;
  vault->alarms_minute = minute;
  return vault->alarms++ < ALARMS_A_MINUTE;
}

static void
raise_alarm (SpVault *vault, Alarm alarm, const char *notifier, const char *what)
{
  g_autofree char *text = sp_text_clean (what, TEXT_CHARS);
  g_autofree char *title = g_strdup_printf ("Alarm from notifier %s", notifier);
  const SpInfoWhat info = { alarms[alarm].kind, alarms[alarm].most, notifier, title, text };
  SpTxn *txn = sp_vault_txn (vault);
  gboolean writes = may_write (vault);
  SpInfo *told = sp_infos_add (vault, txn, &info);

  if (!writes && told == NULL) {
    sp_txn_free (txn);
    return;
  }
  if (writes) {
    g_message ("notify %s: %s", notifier, text);
    sp_txn_audit (txn, "notifier.alarm", "notifier", notifier, "what", text, NULL);
  }
  sp_journal_commit (vault->journal, txn, told ? sp_infos_committed : NULL, told);
}

void
sp_vault_alarm (SpVault *vault, const char *notifier, const char *what)
{
  raise_alarm (vault, ALARM_OF_NOTIFIER, notifier, what);
}

void
sp_alarm_refused (SpVault *vault, const char *notifier, const char *what)
{
  raise_alarm (vault, ALARM_REFUSED, notifier, what);
}

void
sp_alarm_wrong_code (SpVault *vault, const char *notifier, const char *what)
{
  raise_alarm (vault, ALARM_WRONG_CODE, notifier, what);
}

void
sp_vault_trouble (SpVault *vault, const char *notifier, const char *why)
{
  g_autofree char *what = g_strdup_printf ("it can't do its work: %s", why);

  for (guint i = 0; i < vault->live->len; i++) {
    const SpRequest *request = g_ptr_array_index (vault->live, i);

    if (request->status == SP_REQUEST_PENDING && sp_names_contain (request->unsettled, notifier)) {
      raise_alarm (vault, ALARM_TROUBLE, notifier, what);
      return;
    }
  }
}

/* ---- strangers ------------------------------------------------------------------------------------------- */

typedef struct {
  gint64 minute;
  guint n;
} Count;

static guint
count_stranger (SpVault *vault, const char *notifier)
{
  Count *count = g_hash_table_lookup (vault->strangers, notifier);
  gint64 minute = sp_clock_boot_ms (vault->clock) / 60000;

  if (count == NULL) {
    count = g_new0 (Count, 1);
    g_hash_table_insert (vault->strangers, g_strdup (notifier), count);
  }
  if (count->minute != minute)
    count->n = 0;
  count->minute = minute;
  return ++count->n;
}

void
sp_alarm_stranger (SpVault *vault, const char *notifier, const char *did, const char *person,
                   const char *evidence)
{
  g_autofree char *what = g_strdup_printf ("%s of %s, who is not listed (%s)", did, person,
                                           evidence ? evidence : "no evidence");

  raise_alarm (vault, ALARM_STRANGER, notifier, what);
  if (count_stranger (vault, notifier) == STORM) {
    g_autofree char *storm =
        g_strdup_printf ("many answers of people who are not listed; the last: %s", what);

    raise_alarm (vault, ALARM_STORM, notifier, storm);
  }
}
