/* notices.c - what approvers are shown, and the work of keeping every notifier up to date
 *
 * A notice is made from the request alone, whenever it is needed; its id is a MAC, so nothing about
 * notices has to be stored but which notifiers may still show one as open.  Each notifier has one call
 * on its way at a time.  After a crash everything is simply done again: post() and settle() are
 * idempotent by contract.
 */
#include <string.h>

#include "base/problem.h"
#include "base/random.h"
#include "base/text.h"
#include "vault/vault-private.h"

#define N_FIELDS 7
#define N_CHOICES 4
#define RETRY_MS 1000
#define REASON_CHARS 500

char *
sp_vault_notice_id (SpVault *vault, const SpRequest *request, const char *notifier)
{
  g_autofree char *hex = sp_keys_mac_hex (vault->keys, SP_KEY_NOTICES, request->id, notifier, NULL);

  return g_strndup (hex, 32);
}

/* ---- building ------------------------------------------------------------------------------------------ */

typedef struct {
  SpNotice notice;
  SpField fields[N_FIELDS];
  SpChoice choices[N_CHOICES];
  GPtrArray *texts;
} Built;

static const char *
keep (Built *built, char *text)
{
  g_ptr_array_add (built->texts, text);
  return text;
}

static void
add_field (Built *built, const char *label, char *value, SpFieldOrigin origin)
{
  built->fields[built->notice.n_fields++] =
      (SpField){ label, keep (built, value), (guint32) origin };
}

static void
add_choice (Built *built, const char *id, const char *label, SpChoiceStyle style)
{
  built->choices[built->notice.n_choices++] =
      (SpChoice){ keep (built, g_strdup (id)), keep (built, g_strdup (label)), (guint32) style };
}

static char *
duration_text (guint seconds)
{
  if (seconds % 86400 == 0)
    return g_strdup_printf ("%u d", seconds / 86400);
  if (seconds % 3600 == 0)
    return g_strdup_printf ("%u h", seconds / 3600);
  if (seconds % 60 == 0)
    return g_strdup_printf ("%u min", seconds / 60);
  return g_strdup_printf ("%u s", seconds);
}

static void
add_codes (Built *built, const SpRequest *request)
{
  const char *codes[] = { request->code, request->decoys[0], request->decoys[1] };

  /* By alphabet: the place says nothing about which is the right one. */
  for (guint i = 0; i < 3; i++)
    for (guint j = i + 1; j < 3; j++)
      if (strcmp (codes[i], codes[j]) > 0) {
        const char *swap = codes[i];
        codes[i] = codes[j];
        codes[j] = swap;
      }
  for (guint i = 0; i < 3; i++) {
    g_autofree char *id = g_strconcat ("code:", codes[i], NULL);
    add_choice (built, id, codes[i], SP_CHOICE_PLAIN);
  }
}

static void
add_choices (Built *built, const SpRequest *request, const SpStoredSecret *secret)
{
  if (request->decoys[0] != NULL) {
    add_codes (built, request);
  } else {
    add_choice (built, "approve", "Approve once", SP_CHOICE_APPROVE);
    if (secret != NULL && secret->grant_max_s > 0) {
      g_autofree char *time = duration_text (secret->grant_max_s);
      g_autofree char *label = g_strdup_printf ("Approve for %s", time);
      g_autofree char *id = g_strdup_printf ("grant:%u", secret->grant_max_s);
      add_choice (built, id, label, SP_CHOICE_APPROVE);
    }
  }
  add_choice (built, "deny", "Deny", SP_CHOICE_DENY);
}

static void
add_fields (Built *built, const SpRequest *request, const SpStoredSecret *secret, guint quorum)
{
  gboolean by_code = request->decoys[0] != NULL;

  add_field (built, "Secret", g_strdup (request->secret), SP_FIELD_CORE);
  if (secret != NULL && *secret->description != 0)
    add_field (built, "About it", sp_text_clean (secret->description, 200), SP_FIELD_CORE);
  add_field (built, "Agent", g_strdup (request->agent), SP_FIELD_CORE);
  add_field (built, "Code",
             by_code ? g_strdup ("choose the one that the agent shows") : g_strdup (request->code),
             SP_FIELD_CORE);
  add_field (built, "Effect", g_strdup ("the agent gets the value in clear"), SP_FIELD_CORE);
  if (quorum > 1)
    add_field (built, "Needs", g_strdup_printf ("%u approvers", quorum), SP_FIELD_CORE);
  add_field (built, "Reason", sp_text_clean (request->reason, REASON_CHARS), SP_FIELD_AGENT);
}

static void
built_init (Built *built, SpVault *vault, const SpRequest *request, const char *notifier)
{
  const SpStoredSecret *secret = g_hash_table_lookup (vault->secrets, request->secret);

  memset (built, 0, sizeof *built);
  built->texts = g_ptr_array_new_with_free_func (g_free);
  built->notice.size = sizeof built->notice;
  built->notice.id = keep (built, sp_vault_notice_id (vault, request, notifier));
  built->notice.title = "An agent asks for a secret";
  built->notice.fields = built->fields;
  built->notice.choices = built->choices;
  built->notice.expires_at = request->deadline.wall_us / G_USEC_PER_SEC;
  add_fields (built, request, secret, vault->settings->quorum);
  if (request->status == SP_REQUEST_PENDING)
    add_choices (built, request, secret);
}

static void
built_clear (Built *built)
{
  g_ptr_array_unref (built->texts);
}

static const struct {
  SpOutcomeKind kind;
  const char *text;
} outcomes[SP_N_REQUEST_STATUSES] = {
  [SP_REQUEST_APPROVED] = { SP_OUTCOME_APPROVED, "Approved" },
  [SP_REQUEST_USED] = { SP_OUTCOME_APPROVED, "Approved" },
  [SP_REQUEST_DENIED] = { SP_OUTCOME_DENIED, "Denied" },
  [SP_REQUEST_EXPIRED] = { SP_OUTCOME_EXPIRED, "Expired: nobody decided in time" },
  [SP_REQUEST_CANCELLED] = { SP_OUTCOME_CANCELLED, "Withdrawn" },
  [SP_REQUEST_REVOKED] = { SP_OUTCOME_REVOKED, "Revoked" },
};

static char *
outcome_text (const SpRequest *request)
{
  /* An approval that ran out unused was an approval all the same. */
  gboolean decided = request->decided_us != 0;
  const char *word = decided && request->status == SP_REQUEST_EXPIRED
                         ? "Approved"
                         : outcomes[request->status].text;
  g_autofree char *when = decided ? sp_time_format (request->decided_us) : NULL;
  g_autofree char *time = request->grant_s ? duration_text (request->grant_s) : NULL;

  /* Who revoked it is in the audit log; decided_by is who approved it. */
  if (!decided || request->status == SP_REQUEST_REVOKED)
    return g_strdup (word);
  return g_strdup_printf ("%s by %s at %s%s%s", word, request->decided_by, when,
                          time ? " for " : "", time ? time : "");
}

/* ---- work ------------------------------------------------------------------------------------------------- */

typedef struct {
  SpVault *vault;
  SpRequest *request;
  char *notifier;
  gboolean settling;
  guint timer; /* until it is tried again */
} Work;

static void
work_free (Work *work)
{
  sp_request_unref (work->request);
  g_free (work->notifier);
  g_free (work);
}

static void next_work (SpVault *vault, const char *notifier);

static gboolean
try_again (gpointer data)
{
  Work *work = data;

  g_ptr_array_remove_fast (work->vault->retrying, work);
  g_hash_table_remove (work->vault->notify_busy, work->notifier);
  next_work (work->vault, work->notifier);
  work_free (work);
  return G_SOURCE_REMOVE;
}

static void
retry_later (Work *work)
{
  work->timer = g_timeout_add (RETRY_MS, try_again, work);
  g_ptr_array_add (work->vault->retrying, work);
}

void
sp_vault_stop_notices (SpVault *vault)
{
  for (guint i = 0; i < vault->retrying->len; i++) {
    Work *work = g_ptr_array_index (vault->retrying, i);

    g_source_remove (work->timer);
    work_free (work);
  }
  g_ptr_array_set_size (vault->retrying, 0);
}

static void
on_settled_stored (SpVault *vault, SpRequest *request, const GError *error, gpointer data)
{
  Work *work = data;

  if (error != NULL) {
    g_warning ("request %s: settling could not be stored: %s", request->id, error->message);
    retry_later (work);
    return;
  }
  g_hash_table_remove (vault->notify_busy, work->notifier);
  work_free (work);
}

/* The notifier has shown the outcome: that it did is kept, so that it is not told for ever. */
static void
store_settled (gpointer data)
{
  Work *work = data;
  SpRequest *next;

  if (work->request->busy) {
    sp_request_park (work->request, store_settled, work);
    return;
  }
  next = sp_request_copy (work->request);
  for (guint i = 0; i < next->unsettled->len; i++)
    if (g_str_equal (g_ptr_array_index (next->unsettled, i), work->notifier)) {
      g_ptr_array_remove_index (next->unsettled, i);
      break;
    }
  sp_vault_change (work->vault, work->request, next, sp_vault_txn (work->vault), on_settled_stored,
                   work);
}

static void
on_work_done (const GError *error, gpointer data)
{
  Work *work = data;
  SpVault *vault = work->vault;
  gboolean refused = error != NULL && g_error_matches (error, SP_ERROR, SP_ERROR_REFUSED);

  if (error != NULL && !refused) {
    /* Its state tells the rest: one that is down for long would fill the log. */
    if (work->request->failures++ == 0)
      g_warning ("%s", error->message);
    retry_later (work);
    return;
  }
  if (refused) {
    g_autofree char *what = g_strdup_printf ("request %s: %s", work->request->id, error->message);
    sp_vault_alarm (vault, work->notifier, what);
  }
  if (work->settling) {
    store_settled (work);
    return;
  }
  g_hash_table_add (work->request->posted, g_strdup (work->notifier));
  g_hash_table_remove (vault->notify_busy, work->notifier);
  next_work (vault, work->notifier);
  work_free (work);
}

static gboolean
is_unsettled (const SpRequest *request, const char *notifier)
{
  for (guint i = 0; i < request->unsettled->len; i++)
    if (g_str_equal (g_ptr_array_index (request->unsettled, i), notifier))
      return TRUE;
  return FALSE;
}

/* What to do next for @notifier: first take away what is over, then show what is new. */
static SpRequest *
pick (SpVault *vault, const char *notifier, gboolean settling)
{
  SpRequest *best = NULL;

  for (guint i = 0; i < vault->live->len; i++) {
    SpRequest *request = g_ptr_array_index (vault->live, i);
    gboolean pending = request->status == SP_REQUEST_PENDING;
    gboolean due = settling ? !pending && !request->busy
                            : pending && !g_hash_table_contains (request->posted, notifier);

    /* One that fails again and again must not keep the others from being shown. */
    if (due && !request->fresh && is_unsettled (request, notifier) &&
        (best == NULL || request->failures < best->failures))
      best = request;
  }
  return best;
}

static void
start_work (Work *work)
{
  SpVault *vault = work->vault;
  g_autofree char *text = NULL;
  SpOutcome outcome = { .size = sizeof outcome };
  Built built;

  g_hash_table_add (vault->notify_busy, g_strdup (work->notifier));
  built_init (&built, vault, work->request, work->notifier);
  if (work->settling) {
    text = outcome_text (work->request);
    outcome.kind = work->request->decided_us && work->request->status == SP_REQUEST_EXPIRED
                       ? SP_OUTCOME_APPROVED
                       : outcomes[work->request->status].kind;
    outcome.text = text;
    vault->ports->settle (vault->ports->port, work->notifier, &built.notice, &outcome, on_work_done,
                          work);
  } else {
    vault->ports->post (vault->ports->port, work->notifier, &built.notice, on_work_done, work);
  }
  built_clear (&built);
}

static void
next_work (SpVault *vault, const char *notifier)
{
  SpRequest *request;
  Work *work;
  gboolean settling = TRUE;

  if (!vault->open || g_hash_table_contains (vault->notify_busy, notifier))
    return;
  request = pick (vault, notifier, TRUE);
  if (request == NULL) {
    settling = FALSE;
    request = pick (vault, notifier, FALSE);
  }
  if (request == NULL)
    return;
  work = g_new0 (Work, 1);
  work->vault = vault;
  work->request = sp_request_ref (request);
  work->notifier = g_strdup (notifier);
  work->settling = settling;
  start_work (work);
}

void
sp_vault_notify (SpVault *vault)
{
  for (guint i = 0; i < vault->settings->notifiers->len; i++)
    next_work (vault, g_ptr_array_index (vault->settings->notifiers, i));
}
