/* infos.c - infos.h
 *
 * What must stay true: an info goes to a notifier only when no request or grant waits for it but such as
 * have failed there; one that can't be shown is tried again a minute later, and holds nobody up meanwhile.
 */
#include "vault/infos.h"

#include "base/problem.h"
#include "base/random.h"
#include "vault/draft.h"

#define INFO_SECONDS 3600
#define MAX_INFOS 16u
#define RETRY_MS (60 * 1000)

struct _SpInfo {
  grefcount refs;
  SpVault *vault;
  char *id;
  char *kind;
  char *about; /* the notifier; "": none */
  char *title, *text;
  gint64 made_us;
  SpDeadline deadline;
  GPtrArray *unsettled; /* notifiers that may still show it */
  /* Not stored. */
  gboolean fresh; /* not durable yet */
  gboolean
      dirty;     /* the store does not know of a change; what it holds only makes us settle again */
  gboolean busy; /* it is on its way there */
  GHashTable *posted;
  gint64 due_ms; /* not before */
};

/* ---- life ------------------------------------------------------------------------------------------------- */

static SpInfo *
info_new (SpVault *vault)
{
  SpInfo *info = g_new0 (SpInfo, 1);

  info->vault = vault;
  g_ref_count_init (&info->refs);
  info->unsettled = g_ptr_array_new_with_free_func (g_free);
  info->posted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return info;
}

static SpInfo *
info_ref (SpInfo *info)
{
  g_ref_count_inc (&info->refs);
  return info;
}

static void
info_unref (gpointer data)
{
  SpInfo *info = data;

  if (!g_ref_count_dec (&info->refs))
    return;
  g_free (info->id);
  g_free (info->kind);
  g_free (info->about);
  g_free (info->title);
  g_free (info->text);
  g_free (info->deadline.boot_id);
  g_ptr_array_unref (info->unsettled);
  g_hash_table_unref (info->posted);
  g_free (info);
}

GPtrArray *
sp_infos_new (void)
{
  return g_ptr_array_new_with_free_func (info_unref);
}

static gboolean
is_over (const SpInfo *info)
{
  return sp_deadline_left_ms (&info->deadline, info->vault->clock) == 0;
}

/* ---- stored form --------------------------------------------------------------------------------------------- */

static void
put_info (SpTxn *txn, const SpInfo *info)
{
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "id", "s", info->id);
  g_variant_dict_insert (&dict, "kind", "s", info->kind);
  g_variant_dict_insert (&dict, "about", "s", info->about);
  g_variant_dict_insert (&dict, "title", "s", info->title);
  g_variant_dict_insert (&dict, "text", "s", info->text);
  g_variant_dict_insert (&dict, "made", "x", info->made_us);
  g_variant_dict_insert (&dict, "until", "x", info->deadline.wall_us);
  g_variant_dict_insert_value (
      &dict, "unsettled",
      g_variant_new_strv ((const char *const *) info->unsettled->pdata, info->unsettled->len));
  sp_txn_put (txn, SP_TABLE_INFOS, info->id, g_variant_dict_end (&dict));
}

/* After a start it is shown for what is left of its hour, and never longer than that. */
static void
set_deadline (SpVault *vault, SpInfo *info, gint64 until_us)
{
  gint64 left_us = until_us - sp_clock_wall_us (vault->clock);

  sp_deadline_set (&info->deadline, vault->clock,
                   (guint) CLAMP (left_us / G_USEC_PER_SEC, 0, INFO_SECONDS));
}

gboolean
sp_infos_take (SpVault *vault, GVariant *value, GError **error)
{
  SpInfo *info = info_new (vault);
  g_auto (GStrv) unsettled = NULL;
  gint64 until_us;

  g_ptr_array_add (vault->infos, info);
  if (!g_variant_lookup (value, "id", "s", &info->id) ||
      !g_variant_lookup (value, "kind", "s", &info->kind) ||
      !g_variant_lookup (value, "about", "s", &info->about) ||
      !g_variant_lookup (value, "title", "s", &info->title) ||
      !g_variant_lookup (value, "text", "s", &info->text) ||
      !g_variant_lookup (value, "made", "x", &info->made_us) ||
      !g_variant_lookup (value, "until", "x", &until_us) ||
      !g_variant_lookup (value, "unsettled", "^as", &unsettled)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "an info lacks a part");
    return FALSE;
  }
  for (char **name = unsettled; *name != NULL; name++)
    g_ptr_array_add (info->unsettled, g_strdup (*name));
  set_deadline (vault, info, until_us);
  return TRUE;
}

/* ---- changing what is stored ---------------------------------------------------------------------------------------- */

static void store_info (SpInfo *info);

static void
on_stored (const GError *error, gpointer data)
{
  SpInfo *info = data;
  SpVault *vault = info->vault;

  info->busy = FALSE;
  if (error != NULL) {
    info->dirty = TRUE;
    info->due_ms = sp_clock_boot_ms (vault->clock) + RETRY_MS;
  } else if (info->dirty) {
    store_info (info);
  } else if (info->unsettled->len == 0) {
    g_ptr_array_remove (vault->infos, info);
  }
  info_unref (info);
  sp_vault_arm (vault);
}

static void
store_info (SpInfo *info)
{
  SpTxn *txn;

  info->dirty = info->busy;
  if (info->busy)
    return;
  txn = sp_vault_txn (info->vault);
  if (info->unsettled->len > 0)
    put_info (txn, info);
  else
    sp_txn_put (txn, SP_TABLE_INFOS, info->id, NULL);
  info->busy = TRUE;
  sp_journal_commit (info->vault->journal, txn, on_stored, info_ref (info));
}

/* A notifier that is no longer configured will never take anything away. */
static void
drop_unknown_notifiers (SpInfo *info)
{
  for (guint i = info->unsettled->len; i > 0; i--)
    if (!sp_names_contain (info->vault->settings->notifiers,
                           g_ptr_array_index (info->unsettled, i - 1))) {
      g_ptr_array_remove_index (info->unsettled, i - 1);
      info->dirty = TRUE;
    }
}

void
sp_infos_tick (SpVault *vault)
{
  gint64 now = sp_clock_boot_ms (vault->clock);

  for (guint i = 0; i < vault->infos->len; i++) {
    SpInfo *info = g_ptr_array_index (vault->infos, i);

    if (info->fresh || now < info->due_ms)
      continue;
    drop_unknown_notifiers (info);
    if (info->dirty)
      store_info (info);
  }
}

/* ---- adding ---------------------------------------------------------------------------------------------------- */

/* Whatever a notifier that does not come back still shows of it stays there. */
static void
forget_oldest (SpVault *vault)
{
  for (guint i = 0; i < vault->infos->len; i++) {
    SpInfo *info = g_ptr_array_index (vault->infos, i);

    if (info->fresh || info->busy || !is_over (info))
      continue;
    g_ptr_array_set_size (info->unsettled, 0);
    store_info (info);
    return;
  }
}

static gboolean
may_add (SpVault *vault, const SpInfoWhat *what, const char *about)
{
  guint same = 0, shown = 0;

  for (guint i = 0; i < vault->infos->len; i++) {
    const SpInfo *info = g_ptr_array_index (vault->infos, i);

    shown += !is_over (info);
    if (is_over (info) || !g_str_equal (info->kind, what->kind) ||
        !g_str_equal (info->about, about))
      continue;
    same++;
    if (g_str_equal (info->text, what->text))
      return FALSE;
  }
  return shown < MAX_INFOS && same < what->most;
}

SpInfo *
sp_infos_add (SpVault *vault, SpTxn *txn, const SpInfoWhat *what)
{
  const char *about = what->except ? what->except : "";
  SpInfo *info;

  if (!may_add (vault, what, about))
    return NULL;
  if (vault->infos->len >= MAX_INFOS)
    forget_oldest (vault);
  info = info_new (vault);
  for (guint i = 0; i < vault->settings->notifiers->len; i++) {
    const char *name = g_ptr_array_index (vault->settings->notifiers, i);

    if (g_strcmp0 (name, what->except) != 0)
      g_ptr_array_add (info->unsettled, g_strdup (name));
  }
  if (info->unsettled->len == 0) {
    info_unref (info);
    return NULL;
  }
  info->id = sp_random_id (16);
  info->kind = g_strdup (what->kind);
  info->about = g_strdup (about);
  info->title = g_strdup (what->title);
  info->text = g_strdup (what->text);
  info->made_us = sp_clock_wall_us (vault->clock);
  info->fresh = TRUE;
  sp_deadline_set (&info->deadline, vault->clock, INFO_SECONDS);
  put_info (txn, info);
  g_ptr_array_add (vault->infos, info);
  return info;
}

void
sp_infos_committed (const GError *error, gpointer data)
{
  SpInfo *info = data;
  SpVault *vault = info->vault;

  info->fresh = FALSE;
  if (error != NULL)
    g_ptr_array_remove (vault->infos, info);
  sp_vault_notify (vault);
  sp_vault_arm (vault);
}

void
sp_infos_end (SpVault *vault, const char *kind)
{
  for (guint i = 0; i < vault->infos->len; i++) {
    SpInfo *info = g_ptr_array_index (vault->infos, i);

    if (!g_str_equal (info->kind, kind))
      continue;
    sp_deadline_set (&info->deadline, vault->clock, 0);
    info->dirty = TRUE;
  }
  sp_infos_tick (vault);
  sp_vault_notify (vault);
}

void
sp_infos_post_again (SpVault *vault, const char *notifier)
{
  for (guint i = 0; i < vault->infos->len; i++)
    g_hash_table_remove (((SpInfo *) g_ptr_array_index (vault->infos, i))->posted, notifier);
}

/* ---- showing and taking away ------------------------------------------------------------------------------------- */

typedef struct {
  SpInfo *info;
  char *notifier;
  gboolean settling;
} Work;

static void
work_free (Work *work)
{
  info_unref (work->info);
  g_free (work->notifier);
  g_free (work);
}

static void
on_work_done (const GError *error, gpointer data)
{
  Work *work = data;
  SpInfo *info = work->info;
  SpVault *vault = info->vault;
  gboolean again = error != NULL && !g_error_matches (error, SP_ERROR, SP_ERROR_REFUSED);

  if (error != NULL)
    g_message ("%s", error->message);
  if (again)
    info->due_ms = sp_clock_boot_ms (vault->clock) + RETRY_MS;
  else if (!work->settling)
    g_hash_table_add (info->posted, g_strdup (work->notifier));
  else {
    sp_names_remove (info->unsettled, work->notifier);
    store_info (info);
  }
  g_hash_table_remove (vault->notify_busy, work->notifier);
  sp_vault_arm (vault);
  sp_vault_notify_one (vault, work->notifier);
  work_free (work);
}

static void
start_work (Work *work)
{
  const SpInfo *info = work->info;
  SpVault *vault = info->vault;
  const SpOutcome outcome = { .size = sizeof outcome,
                              .kind = SP_OUTCOME_EXPIRED,
                              .text = "Over; the audit log has it" };
  g_autofree char *mac =
      sp_keys_mac_hex (vault->keys, SP_KEY_NOTICES, info->id, work->notifier, "info", NULL);
  g_auto (SpDraft) draft = { 0 };

  g_hash_table_add (vault->notify_busy, g_strdup (work->notifier));
  sp_draft_init (&draft, g_strndup (mac, 32), info->title, info->deadline.wall_us);
  sp_draft_field (&draft, "What", g_strdup (info->text), SP_FIELD_CORE);
  sp_draft_field (&draft, "When", sp_time_format (info->made_us), SP_FIELD_CORE);
  if (work->settling)
    vault->ports->settle (vault->ports->port, work->notifier, &draft.notice, &outcome, on_work_done,
                          work);
  else
    vault->ports->post (vault->ports->port, work->notifier, &draft.notice, on_work_done, work);
}

static gboolean
is_due (SpVault *vault, const SpInfo *info, const char *notifier)
{
  return !info->fresh && sp_clock_boot_ms (vault->clock) >= info->due_ms &&
         sp_names_contain (info->unsettled, notifier) &&
         (is_over (info) || !g_hash_table_contains (info->posted, notifier));
}

gboolean
sp_infos_next (SpVault *vault, const char *notifier)
{
  for (guint i = 0; i < vault->infos->len; i++) {
    SpInfo *info = g_ptr_array_index (vault->infos, i);
    Work *work;

    if (!is_due (vault, info, notifier))
      continue;
    work = g_new0 (Work, 1);
    work->info = info_ref (info);
    work->notifier = g_strdup (notifier);
    work->settling = is_over (info);
    start_work (work);
    return TRUE;
  }
  return FALSE;
}

gint64
sp_infos_wait_ms (SpVault *vault)
{
  gint64 now = sp_clock_boot_ms (vault->clock), next = -1;

  for (guint i = 0; i < vault->infos->len; i++) {
    const SpInfo *info = g_ptr_array_index (vault->infos, i);
    gint64 left = sp_deadline_left_ms (&info->deadline, vault->clock);

    /* Not further away than a minute: the wall clock may be set in the meantime. */
    if (info->due_ms > now)
      left = left > 0 ? MIN (left, info->due_ms - now) : info->due_ms - now;
    if (left > 0)
      next = next < 0 ? MIN (left, 60 * 1000) : MIN (next, left);
  }
  return next;
}
