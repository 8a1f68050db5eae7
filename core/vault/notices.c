/* notices.c - the work of keeping every notifier up to date about requests and grants
 *
 * Nothing about notices has to be stored but which notifiers may still show one as open.  Each
 * notifier has one call on its way at a time.  After a crash everything is simply done again: post()
 * and settle() are idempotent by contract.
 */
#include "base/problem.h"
#include "vault/draft.h"
#include "vault/infos.h"

#define RETRY_MS 1000

/* ---- which notifiers have it, and which may still show it as open ---------------------------------------- */

static GPtrArray *
unsettled_of (const SpRequest *request, SpNoticeKind kind)
{
  return kind == SP_NOTICE_GRANT ? request->grant_unsettled : request->unsettled;
}

static GHashTable *
posted_of (const SpRequest *request, SpNoticeKind kind)
{
  return kind == SP_NOTICE_GRANT ? request->grant_posted : request->posted;
}

/* While it is so there is something to choose. */
static gboolean
is_shown_open (const SpRequest *request, SpNoticeKind kind)
{
  return request->status == (kind == SP_NOTICE_GRANT ? SP_REQUEST_APPROVED : SP_REQUEST_PENDING);
}

gboolean
sp_names_contain (const GPtrArray *names, const char *name)
{
  for (guint i = 0; i < names->len; i++)
    if (g_str_equal (g_ptr_array_index (names, i), name))
      return TRUE;
  return FALSE;
}

void
sp_names_remove (GPtrArray *names, const char *name)
{
  for (guint i = names->len; i > 0; i--)
    if (g_str_equal (g_ptr_array_index (names, i - 1), name))
      g_ptr_array_remove_index (names, i - 1);
}

/* ---- work ------------------------------------------------------------------------------------------------- */

typedef struct {
  SpVault *vault;
  SpRequest *request;
  SpNoticeKind kind;
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

static gboolean
try_again (gpointer data)
{
  Work *work = data;

  g_ptr_array_remove_fast (work->vault->retrying, work);
  g_hash_table_remove (work->vault->notify_busy, work->notifier);
  sp_vault_notify_one (work->vault, work->notifier);
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
  sp_names_remove (unsettled_of (next, work->kind), work->notifier);
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
    sp_alarm_refused (vault, work->notifier, what);
  }
  if (work->settling) {
    store_settled (work);
    return;
  }
  g_hash_table_add (posted_of (work->request, work->kind), g_strdup (work->notifier));
  g_hash_table_remove (vault->notify_busy, work->notifier);
  sp_vault_notify_one (vault, work->notifier);
  work_free (work);
}

/* Not while a change is on its way: it may be its end, and then there is nothing to show. */
static gboolean
is_due (const SpRequest *request, SpNoticeKind kind, const char *notifier, gboolean settling)
{
  gboolean open = is_shown_open (request, kind);
  gboolean due =
      settling ? !open : open && !g_hash_table_contains (posted_of (request, kind), notifier);

  return due && !request->busy && !request->fresh &&
         sp_names_contain (unsettled_of (request, kind), notifier);
}

/* What to take away from @notifier, or to show there, next; what agents wait for before what is already
 * granted. */
static SpRequest *
pick (SpVault *vault, const char *notifier, gboolean settling, SpNoticeKind *ret_kind)
{
  SpRequest *best = NULL;

  for (guint kind = 0; kind < SP_N_NOTICE_KINDS; kind++)
    for (guint i = 0; i < vault->live->len; i++) {
      SpRequest *request = g_ptr_array_index (vault->live, i);

      /* One that fails again and again must not keep the others from being shown. */
      if ((best == NULL || request->failures < best->failures) &&
          is_due (request, kind, notifier, settling)) {
        best = request;
        *ret_kind = kind;
      }
    }
  return best;
}

static void
start_work (Work *work)
{
  SpVault *vault = work->vault;
  g_auto (SpDraft) draft = { 0 };

  g_hash_table_add (vault->notify_busy, g_strdup (work->notifier));
  sp_draft_request (&draft, vault, work->request, work->kind, work->notifier);
  if (work->settling) {
    SpOutcomeKind kind;
    g_autofree char *text = sp_draft_outcome (work->request, work->kind, &kind);
    const SpOutcome outcome = { .size = sizeof outcome, .kind = (guint32) kind, .text = text };

    vault->ports->settle (vault->ports->port, work->notifier, &draft.notice, &outcome, on_work_done,
                          work);
  } else {
    vault->ports->post (vault->ports->port, work->notifier, &draft.notice, on_work_done, work);
  }
}

/* What is over goes first, unless it has failed more often than what is new. */
static SpRequest *
pick_next (SpVault *vault, const char *notifier, gboolean *ret_settling, SpNoticeKind *ret_kind)
{
  SpNoticeKind kind = SP_NOTICE_ASK;
  SpRequest *over = pick (vault, notifier, TRUE, ret_kind);
  /* What is still open in a locked vault is about to end. */
  SpRequest *open = sp_vault_is_locked (vault) ? NULL : pick (vault, notifier, FALSE, &kind);

  *ret_settling = open == NULL || (over != NULL && over->failures <= open->failures);
  if (*ret_settling)
    return over;
  *ret_kind = kind;
  return open;
}

void
sp_vault_notify_one (SpVault *vault, const char *notifier)
{
  SpNoticeKind kind = SP_NOTICE_ASK;
  SpRequest *request;
  gboolean settling;
  Work *work;

  /* A call to it may end after it has gone. */
  if (!vault->open || g_hash_table_contains (vault->notify_busy, notifier) ||
      !sp_names_contain (vault->settings->notifiers, notifier))
    return;
  request = pick_next (vault, notifier, &settling, &kind);
  if ((request == NULL || request->failures > 0) && sp_infos_next (vault, notifier))
    return;
  if (request == NULL)
    return;
  work = g_new0 (Work, 1);
  work->vault = vault;
  work->request = sp_request_ref (request);
  work->kind = kind;
  work->notifier = g_strdup (notifier);
  work->settling = settling;
  start_work (work);
}

void
sp_vault_notify (SpVault *vault)
{
  for (guint i = 0; i < vault->settings->notifiers->len; i++)
    sp_vault_notify_one (vault, g_ptr_array_index (vault->settings->notifiers, i));
}
