/* audit.h - one entry of the audit log and its place in the chain
 *
 * Each entry carries HMAC(audit key, previous MAC, entry).  Whoever lacks the key can neither change
 * nor add entries; removing the newest shows against the anchor that the host keeps.  An entry names
 * things and people, never a value, a token or a key.
 */
#pragma once

#include "vault/keys.h"

typedef struct {
  guint64 seq; /* from 1 */
  gint64 wall_us;
  char *event;      /* "request.approved" */
  GVariant *fields; /* a{ss} */
  guint8 mac[SP_MAC_LENGTH];
} SpAuditEntry;

void sp_audit_entry_clear (SpAuditEntry *entry);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SpAuditEntry, sp_audit_entry_clear)

/* Compute @entry's MAC from @previous. */
void sp_audit_chain (SpKeys *keys, const guint8 previous[SP_MAC_LENGTH], SpAuditEntry *entry);

GVariant *sp_audit_to_variant (const SpAuditEntry *entry);
/* @value of another type: FALSE. */
gboolean sp_audit_from_variant (GVariant *value, SpAuditEntry *ret_entry);

/* The row key of @seq: ordered as numbers are. */
char *sp_audit_key (guint64 seq);
