/* test-audit.c - an entry of the audit log: any change of it, or of what came before, shows */
#include <string.h>

#include "test-loop.h"
#include "vault/audit.h"

static const guint8 before[SP_MAC_LENGTH] = { 1, 2, 3 };

static SpKeys *
keys_new (guint8 byte)
{
  g_autoptr (SpSecret) master = sp_secret_new (SP_KEY_LENGTH);

  memset (sp_secret_data (master), byte, SP_KEY_LENGTH);
  return sp_keys_new (master, "v");
}

static void
fill (SpAuditEntry *entry, guint64 seq, gint64 time, const char *event, const char *fields)
{
  memset (entry, 0, sizeof *entry);
  entry->seq = seq;
  entry->wall_us = time;
  entry->event = g_strdup (event);
  entry->fields =
      g_variant_ref_sink (g_variant_parse (G_VARIANT_TYPE ("a{ss}"), fields, NULL, NULL, NULL));
}

static void
test_any_change_shows (void)
{
  static const struct {
    guint64 seq;
    gint64 time;
    const char *event, *fields;
  } others[] = {
    { 6, 7, "e", "{'a': 'b'}" }, { 5, 8, "e", "{'a': 'b'}" }, { 5, 7, "f", "{'a': 'b'}" },
    { 5, 7, "e", "{'a': 'c'}" }, { 5, 7, "e", "{'c': 'b'}" }, { 5, 7, "e", "{'a': 'b', 'c': ''}" },
    { 5, 7, "e", "@a{ss} {}" },  { 5, 7, "ea", "{'': 'b'}" },
  };
  g_autoptr (SpKeys) keys = keys_new (1);
  g_auto (SpAuditEntry) entry = { 0 };

  fill (&entry, 5, 7, "e", "{'a': 'b'}");
  sp_audit_chain (keys, before, &entry);
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++) {
    g_auto (SpAuditEntry) other = { 0 };

    fill (&other, others[i].seq, others[i].time, others[i].event, others[i].fields);
    sp_audit_chain (keys, before, &other);
    g_assert_true (memcmp (entry.mac, other.mac, SP_MAC_LENGTH) != 0);
  }
}

static void
test_chain_and_key_count (void)
{
  static const guint8 other_before[SP_MAC_LENGTH] = { 1, 2, 4 };
  g_autoptr (SpKeys) keys = keys_new (1), other_keys = keys_new (2);
  g_auto (SpAuditEntry) entry = { 0 };
  guint8 mac[SP_MAC_LENGTH];

  fill (&entry, 5, 7, "e", "{'a': 'b'}");
  sp_audit_chain (keys, before, &entry);
  memcpy (mac, entry.mac, sizeof mac);
  sp_audit_chain (keys, other_before, &entry);
  g_assert_true (memcmp (entry.mac, mac, sizeof mac) != 0);
  sp_audit_chain (other_keys, before, &entry);
  g_assert_true (memcmp (entry.mac, mac, sizeof mac) != 0);
  sp_audit_chain (keys, before, &entry);
  g_assert_cmpmem (entry.mac, sizeof mac, mac, sizeof mac);
}

static void
test_stored_form (void)
{
  g_autoptr (SpKeys) keys = keys_new (1);
  g_auto (SpAuditEntry) entry = { 0 };
  g_auto (SpAuditEntry) back = { 0 };
  g_autoptr (GVariant) stored = NULL;
  g_autoptr (GVariant) other = g_variant_ref_sink (g_variant_new ("(s)", "x"));
  g_autoptr (GVariant) short_mac = g_variant_ref_sink (
      g_variant_parse (NULL, "(uint64 1, int64 2, 'e', @a{ss} {}, [byte 1])", NULL, NULL, NULL));

  fill (&entry, 5, 7, "e", "{'a': 'b'}");
  sp_audit_chain (keys, before, &entry);
  stored = g_variant_ref_sink (sp_audit_to_variant (&entry));
  g_assert_true (sp_audit_from_variant (stored, &back));
  g_assert_cmpuint (back.seq, ==, 5);
  g_assert_cmpint (back.wall_us, ==, 7);
  g_assert_cmpstr (back.event, ==, "e");
  g_assert_cmpvariant (back.fields, entry.fields);
  g_assert_cmpmem (back.mac, SP_MAC_LENGTH, entry.mac, SP_MAC_LENGTH);
  g_assert_false (sp_audit_from_variant (other, &back));
  g_assert_false (sp_audit_from_variant (short_mac, &back));
}

static void
test_keys_are_in_order (void)
{
  static const guint64 numbers[] = { 0, 1, 9, 10, 15, 16, 255, 256, G_MAXINT64, G_MAXUINT64 };

  for (gsize i = 1; i < G_N_ELEMENTS (numbers); i++) {
    g_autofree char *one = sp_audit_key (numbers[i - 1]), *next = sp_audit_key (numbers[i]);

    g_assert_cmpstr (one, <, next);
  }
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/audit/any-change-shows", test_any_change_shows);
  g_test_add_func ("/audit/chain-and-key-count", test_chain_and_key_count);
  g_test_add_func ("/audit/stored-form", test_stored_form);
  g_test_add_func ("/audit/row-keys-are-in-order", test_keys_are_in_order);
  return g_test_run ();
}
