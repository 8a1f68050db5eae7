/* audit.c - audit.h */
#include "vault/audit.h"

#include <string.h>

#define ENTRY_TYPE "(txsa{ss}ay)"

void
sp_audit_entry_clear (SpAuditEntry *entry)
{
  g_clear_pointer (&entry->event, g_free);
  g_clear_pointer (&entry->fields, g_variant_unref);
}

void
sp_audit_chain (SpKeys *keys, const guint8 previous[SP_MAC_LENGTH], SpAuditEntry *entry)
{
  /* The serialised form is canonical: one value, one sequence of bytes. */
  g_autoptr (GVariant) value = g_variant_ref_sink (
      g_variant_new ("(txs@a{ss})", entry->seq, entry->wall_us, entry->event, entry->fields));
  g_autoptr (GBytes) before = g_bytes_new (previous, SP_MAC_LENGTH);
  g_autoptr (GBytes) body = g_variant_get_data_as_bytes (value);
  const GBytes *const parts[] = { before, body };

  sp_keys_mac (keys, SP_KEY_AUDIT, parts, G_N_ELEMENTS (parts), entry->mac);
}

GVariant *
sp_audit_to_variant (const SpAuditEntry *entry)
{
  return g_variant_new (
      "(txs@a{ss}@ay)", entry->seq, entry->wall_us, entry->event, entry->fields,
      g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, entry->mac, SP_MAC_LENGTH, 1));
}

gboolean
sp_audit_from_variant (GVariant *value, SpAuditEntry *ret_entry)
{
  g_autoptr (GVariant) mac = NULL;
  g_autoptr (GVariant) fields = NULL;
  gconstpointer data;
  gsize length;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE (ENTRY_TYPE)))
    return FALSE;
  mac = g_variant_get_child_value (value, 4);
  data = g_variant_get_fixed_array (mac, &length, 1);
  if (length != SP_MAC_LENGTH)
    return FALSE;
  memset (ret_entry, 0, sizeof *ret_entry);
  memcpy (ret_entry->mac, data, SP_MAC_LENGTH);
  g_variant_get (value, "(txs@a{ss}@ay)", &ret_entry->seq, &ret_entry->wall_us, &ret_entry->event,
                 &fields, NULL);
  ret_entry->fields = g_steal_pointer (&fields);
  return TRUE;
}

char *
sp_audit_key (guint64 seq)
{
  return g_strdup_printf ("%016" G_GINT64_MODIFIER "x", seq);
}
