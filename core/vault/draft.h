/* draft.h - a notice while it is put together, and what notices of requests and grants say
 *
 * A notice is made from the request alone, whenever it is needed; its id is a MAC.
 */
#pragma once

#include "vault/vault-private.h"

#define SP_DRAFT_FIELDS 9
#define SP_DRAFT_CHOICES 4

typedef struct {
  SpNotice notice;
  SpField fields[SP_DRAFT_FIELDS];
  SpChoice choices[SP_DRAFT_CHOICES];
  GPtrArray *texts;
} SpDraft;

/* @id is taken; @title is kept as it is. */
void sp_draft_init (SpDraft *draft, char *id, const char *title, gint64 expires_us);
void sp_draft_clear (SpDraft *draft);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SpDraft, sp_draft_clear)
/* @label is kept as it is; @value is taken. */
void sp_draft_field (SpDraft *draft, const char *label, char *value, SpFieldOrigin origin);
void sp_draft_choice (SpDraft *draft, const char *id, const char *label, SpChoiceStyle style);

/* What @request looks like at @notifier; with choices while there is something to choose. */
void sp_draft_request (SpDraft *draft, SpVault *vault, const SpRequest *request, SpNoticeKind kind,
                       const char *notifier);
/* How it ended; new string. */
char *sp_draft_outcome (const SpRequest *request, SpNoticeKind kind, SpOutcomeKind *ret_kind);
