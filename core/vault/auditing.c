/* auditing.c - showing the audit log, and proving it from the first entry to the last */
#include <string.h>

#include "base/problem.h"
#include "base/random.h"
#include "vault/vault-private.h"

#define ENTRY_TYPE "(txsa{ss}ay)"
#define SHOW_LIMIT 100u /* a line of the admin channel must hold them */
#define VERIFY_LIMIT 500u

typedef struct {
  SpVault *vault;
  JsonArray *items; /* show */
  guint limit;
  guint64 last; /* seq of the newest row seen */
  guint8 mac[SP_MAC_LENGTH];
  guint64 entries, first_bad, until; /* verify: up to this entry, whose MAC is known */
  char *until_head;
  SpVaultDone done;
  gpointer data;
} Op;

static gboolean
open_entry (Op *op, const char *key, gint64 revision, GBytes *sealed, SpAuditEntry *ret_entry)
{
  g_autoptr (GVariant) row = sp_journal_open_row (op->vault->journal, SP_TABLE_AUDIT, key, revision,
                                                  sealed, ENTRY_TYPE, NULL);

  return row != NULL && sp_audit_from_variant (row, ret_entry);
}

/* ---- show --------------------------------------------------------------------------------------------------- */

static JsonObject *
entry_to_object (const SpAuditEntry *entry)
{
  JsonObject *object = json_object_new ();
  g_autofree char *time = sp_time_format (entry->wall_us);
  const char *name, *value;
  GVariantIter iter;

  json_object_set_int_member (object, "seq", (gint64) entry->seq);
  json_object_set_string_member (object, "time", time);
  json_object_set_string_member (object, "event", entry->event);
  g_variant_iter_init (&iter, entry->fields);
  while (g_variant_iter_next (&iter, "{&s&s}", &name, &value))
    json_object_set_string_member (object, name, value);
  return object;
}

static gboolean
show_row (const char *key, gint64 revision, GBytes *sealed, gpointer data)
{
  Op *op = data;
  g_auto (SpAuditEntry) entry = { 0 };

  if (!open_entry (op, key, revision, sealed, &entry)) {
    JsonObject *object = json_object_new ();

    json_object_set_string_member (object, "event", "unreadable");
    json_object_set_string_member (object, "row", key);
    json_array_add_object_element (op->items, object);
    (void) g_ascii_string_to_unsigned (key, 16, 0, G_MAXUINT64, &op->last, NULL);
    return TRUE;
  }
  op->last = entry.seq;
  json_array_add_object_element (op->items, entry_to_object (&entry));
  return TRUE;
}

static void
on_shown (gboolean more, const GError *error, gpointer data)
{
  Op *op = data;
  g_autofree char *next = more ? g_strdup_printf ("%" G_GUINT64_FORMAT, op->last) : NULL;

  if (error != NULL) {
    sp_answer_error (g_error_copy (error), op->done, op->data);
    json_array_unref (op->items);
  } else {
    sp_answer_json (sp_page_json (op->items, next), NULL, op->done, op->data);
  }
  g_free (op);
}

void
sp_vault_audit_show (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "after:s", "limit:i", NULL };
  g_autofree char *key = NULL;
  GError *error = NULL;
  guint64 after = 0;
  const char *text;
  Op *op;

  if (sp_params_check (params, allowed, &error)) {
    text = json_object_get_string_member_with_default (params, "after", "0");
    if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64, &after, NULL))
      sp_problem_set_invalid (&error, "after", "after is the number of an entry");
  }
  if (error != NULL) {
    sp_answer_error (error, done, data);
    return;
  }
  op = g_new0 (Op, 1);
  op->vault = vault;
  op->items = json_array_new ();
  op->limit = (guint) CLAMP (json_object_get_int_member_with_default (params, "limit", SHOW_LIMIT),
                             1, SHOW_LIMIT);
  op->done = done;
  op->data = data;
  key = sp_audit_key (after);
  vault->ports->scan (vault->ports->port, SP_TABLE_AUDIT, key, op->limit, show_row, on_shown, op);
}

/* ---- verify ---------------------------------------------------------------------------------------------------- */

static gboolean
verify_row (const char *key, gint64 revision, GBytes *sealed, gpointer data)
{
  Op *op = data;
  g_auto (SpAuditEntry) entry = { 0 };
  g_autofree char *expected_key = sp_audit_key (op->last + 1);
  guint8 stored[SP_MAC_LENGTH];

  if (op->first_bad != 0 || op->last == op->until)
    return FALSE;
  if (!g_str_equal (key, expected_key) || !open_entry (op, key, revision, sealed, &entry) ||
      entry.seq != op->last + 1) {
    op->first_bad = op->last + 1;
    return FALSE;
  }
  memcpy (stored, entry.mac, sizeof stored);
  sp_audit_chain (op->vault->keys, op->mac, &entry);
  if (!sp_secret_equal (stored, entry.mac, sizeof stored)) {
    op->first_bad = entry.seq;
    return FALSE;
  }
  memcpy (op->mac, entry.mac, sizeof op->mac);
  op->last = entry.seq;
  op->entries++;
  return TRUE;
}

static void
verify_answer (Op *op)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  g_autofree char *head = sp_hex (op->mac, SP_MAC_LENGTH);

  /* Every entry up to where the log stood when this began; fewer is a bad end. */
  if (op->first_bad == 0 && op->last < op->until)
    op->first_bad = op->last + 1;
  /* A chain that is whole in itself, but not ours. */
  else if (op->first_bad == 0 && !g_str_equal (head, op->until_head))
    op->first_bad = op->until;
  json_node_take_object (node, object);
  json_object_set_boolean_member (object, "ok", op->first_bad == 0);
  json_object_set_int_member (object, "entries", (gint64) op->entries);
  json_object_set_string_member (object, "head", head);
  if (op->first_bad != 0)
    json_object_set_int_member (object, "first_bad", (gint64) op->first_bad);
  else
    json_object_set_null_member (object, "first_bad");
  sp_answer_json (node, NULL, op->done, op->data);
  g_free (op->until_head);
  g_free (op);
}

static void
on_verified (gboolean more, const GError *error, gpointer data)
{
  Op *op = data;
  g_autofree char *key = sp_audit_key (op->last);

  if (error != NULL) {
    sp_answer_error (g_error_copy (error), op->done, op->data);
    g_free (op->until_head);
    g_free (op);
  } else if (more && op->first_bad == 0 && op->last < op->until) {
    op->vault->ports->scan (op->vault->ports->port, SP_TABLE_AUDIT, key, VERIFY_LIMIT, verify_row,
                            on_verified, op);
  } else {
    verify_answer (op);
  }
}

void
sp_vault_audit_verify (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { NULL };
  GError *error = NULL;
  Op *op;

  if (!sp_params_check (params, allowed, &error)) {
    sp_answer_error (error, done, data);
    return;
  }
  op = g_new0 (Op, 1);
  op->vault = vault;
  op->until = sp_journal_seq (vault->journal);
  op->until_head = sp_journal_head_hex (vault->journal);
  op->done = done;
  op->data = data;
  vault->ports->scan (vault->ports->port, SP_TABLE_AUDIT, NULL, VERIFY_LIMIT, verify_row,
                      on_verified, op);
}
