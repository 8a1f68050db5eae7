/* draft.c - draft.h
 *
 * What must stay true: what an agent wrote is one field, marked as such; all else is ours or the
 * administrator's, and cleaned.
 */
#include "vault/draft.h"

#include <string.h>

#include "base/text.h"

/* The one level at which bytes of an agent's run in the vault: whoever decides should know. */
#define AUDITED "audited"
#define AUDITED_TEXT "audited: an agent made the machine of this vault, and it was looked at"
#define REASON_CHARS 500

char *
sp_vault_notice_id (SpVault *vault, const SpRequest *request, SpNoticeKind kind,
                    const char *notifier)
{
  const char *purpose = kind == SP_NOTICE_GRANT ? "grant" : NULL;
  g_autofree char *hex =
      sp_keys_mac_hex (vault->keys, SP_KEY_NOTICES, request->id, notifier, purpose, NULL);

  return g_strndup (hex, 32);
}

/* ---- parts ------------------------------------------------------------------------------------------- */

static const char *
keep (SpDraft *draft, char *text)
{
  g_ptr_array_add (draft->texts, text);
  return text;
}

void
sp_draft_init (SpDraft *draft, char *id, const char *title, gint64 expires_us)
{
  memset (draft, 0, sizeof *draft);
  draft->texts = g_ptr_array_new_with_free_func (g_free);
  draft->notice.size = sizeof draft->notice;
  draft->notice.id = keep (draft, id);
  draft->notice.title = title;
  draft->notice.fields = draft->fields;
  draft->notice.choices = draft->choices;
  draft->notice.expires_at = expires_us / G_USEC_PER_SEC;
}

void
sp_draft_clear (SpDraft *draft)
{
  g_clear_pointer (&draft->texts, g_ptr_array_unref);
}

void
sp_draft_field (SpDraft *draft, const char *label, char *value, SpFieldOrigin origin)
{
  draft->fields[draft->notice.n_fields++] =
      (SpField){ label, keep (draft, value), (guint32) origin };
}

void
sp_draft_choice (SpDraft *draft, const char *id, const char *label, SpChoiceStyle style)
{
  draft->choices[draft->notice.n_choices++] =
      (SpChoice){ keep (draft, g_strdup (id)), keep (draft, g_strdup (label)), (guint32) style };
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

/* ---- what an agent asks for ------------------------------------------------------------------------------ */

static void
add_codes (SpDraft *draft, const SpRequest *request)
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
    sp_draft_choice (draft, id, codes[i], SP_CHOICE_PLAIN);
  }
}

static void
ask_choices (SpDraft *draft, const SpRequest *request, const SpStoredSecret *secret)
{
  if (request->decoys[0] != NULL) {
    add_codes (draft, request);
  } else {
    sp_draft_choice (draft, "approve", "Approve once", SP_CHOICE_APPROVE);
    if (secret != NULL && secret->grant_max_s > 0) {
      g_autofree char *time = duration_text (secret->grant_max_s);
      g_autofree char *label = g_strdup_printf ("Approve for %s", time);
      g_autofree char *id = g_strdup_printf ("grant:%u", secret->grant_max_s);
      sp_draft_choice (draft, id, label, SP_CHOICE_APPROVE);
    }
  }
  sp_draft_choice (draft, "deny", "Deny", SP_CHOICE_DENY);
}

static void
ask_fields (SpDraft *draft, const SpRequest *request, const SpStoredSecret *secret,
            const SpVaultSettings *settings)
{
  guint quorum = settings->quorum;
  gboolean by_code = request->decoys[0] != NULL;

  sp_draft_field (draft, "Secret", g_strdup (request->secret), SP_FIELD_CORE);
  if (secret != NULL && *secret->description != 0)
    sp_draft_field (draft, "About it", sp_text_clean (secret->description, 200), SP_FIELD_CORE);
  sp_draft_field (draft, "Agent", g_strdup (request->agent), SP_FIELD_CORE);
  sp_draft_field (draft, "Code",
                  by_code ? g_strdup ("choose the one that the agent shows")
                          : g_strdup (request->code),
                  SP_FIELD_CORE);
  sp_draft_field (draft, "Effect", g_strdup ("the agent gets the value in clear"), SP_FIELD_CORE);
  if (quorum > 1)
    sp_draft_field (draft, "Needs", g_strdup_printf ("%u approvers", quorum), SP_FIELD_CORE);
  if (g_strcmp0 (settings->trust, AUDITED) == 0)
    sp_draft_field (draft, "Trust", g_strdup (AUDITED_TEXT), SP_FIELD_CORE);
  sp_draft_field (draft, "Reason", sp_text_clean (request->reason, REASON_CHARS), SP_FIELD_AGENT);
}

static void
draft_ask (SpDraft *draft, SpVault *vault, const SpRequest *request, const SpStoredSecret *secret)
{
  ask_fields (draft, request, secret, vault->settings);
  if (request->status == SP_REQUEST_PENDING)
    ask_choices (draft, request, secret);
}

/* ---- an approval that holds for a time -------------------------------------------------------------------- */

/* "alice", "alice via mail", "alice and bob via mail"; new string. */
static char *
people_text (const GPtrArray *votes, const char *by, const char *via)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; votes != NULL && i < votes->len; i++)
    if (!g_str_equal (g_ptr_array_index (votes, i), by))
      g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "",
                              (const char *) g_ptr_array_index (votes, i));
  g_string_append_printf (text, "%s%s", text->len > 0 ? " and " : "", by);
  if (via != NULL)
    g_string_append_printf (text, " via %s", via);
  return g_string_free (text, FALSE);
}

static void
draft_grant (SpDraft *draft, SpVault *vault, const SpRequest *request, const SpStoredSecret *secret)
{
  sp_draft_field (draft, "Secret", g_strdup (request->secret), SP_FIELD_CORE);
  if (secret != NULL && *secret->description != 0)
    sp_draft_field (draft, "About it", sp_text_clean (secret->description, 200), SP_FIELD_CORE);
  sp_draft_field (draft, "Agent", g_strdup (request->agent), SP_FIELD_CORE);
  sp_draft_field (draft, "Code", g_strdup (request->code), SP_FIELD_CORE);
  sp_draft_field (draft, "Effect",
                  g_strdup ("until then the agent gets the value whenever it asks"), SP_FIELD_CORE);
  sp_draft_field (draft, "Until", sp_time_format (request->deadline.wall_us), SP_FIELD_CORE);
  sp_draft_field (draft, "Approved by",
                  people_text (request->votes, request->decided_by, request->decided_via),
                  SP_FIELD_CORE);
  if (request->status == SP_REQUEST_APPROVED)
    sp_draft_choice (draft, SP_CHOICE_REVOKE, "Revoke", SP_CHOICE_DENY);
}

static const struct {
  const char *title;
  void (*draft) (SpDraft *draft, SpVault *vault, const SpRequest *request,
                 const SpStoredSecret *secret);
} kinds[SP_N_NOTICE_KINDS] = {
  [SP_NOTICE_ASK] = { "An agent asks for a secret", draft_ask },
  [SP_NOTICE_GRANT] = { "A grant is open", draft_grant },
};

void
sp_draft_request (SpDraft *draft, SpVault *vault, const SpRequest *request, SpNoticeKind kind,
                  const char *notifier)
{
  sp_draft_init (draft, sp_vault_notice_id (vault, request, kind, notifier), kinds[kind].title,
                 request->deadline.wall_us);
  kinds[kind].draft (draft, vault, request, g_hash_table_lookup (vault->secrets, request->secret));
}

/* ---- how it ended ------------------------------------------------------------------------------------------ */

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

/* "Revoked by alice via mail at TIME". */
static char *
ended_text (const char *word, const SpRequest *request)
{
  g_autofree char *when = sp_time_format (request->ended_us);
  g_autofree char *who = people_text (NULL, request->ended_by, request->ended_via);

  return g_strdup_printf ("%s by %s at %s", word, who, when);
}

static char *
decided_text (const SpRequest *request)
{
  gboolean denied = request->status == SP_REQUEST_DENIED;
  g_autofree char *when = sp_time_format (request->decided_us);
  g_autofree char *time = request->grant_s ? duration_text (request->grant_s) : NULL;
  g_autofree char *who =
      people_text (denied ? NULL : request->votes, request->decided_by, request->decided_via);

  return g_strdup_printf ("%s by %s at %s%s%s", denied ? "Denied" : "Approved", who, when,
                          time ? " for " : "", time ? time : "");
}

static char *
ask_outcome (const SpRequest *request, SpOutcomeKind *ret_kind)
{
  *ret_kind = outcomes[request->status].kind;
  if (request->status == SP_REQUEST_REVOKED && request->ended_by != NULL)
    return ended_text ("Revoked", request);
  if (request->status == SP_REQUEST_CANCELLED && request->ended_by != NULL)
    return ended_text ("Cancelled", request);
  if (request->decided_us == 0 || request->status == SP_REQUEST_REVOKED)
    return g_strdup (outcomes[request->status].text);
  /* An approval that ran out unused was an approval all the same. */
  if (request->status == SP_REQUEST_EXPIRED)
    *ret_kind = SP_OUTCOME_APPROVED;
  return decided_text (request);
}

static char *
grant_outcome (const SpRequest *request, SpOutcomeKind *ret_kind)
{
  gboolean revoked = request->status == SP_REQUEST_REVOKED;

  *ret_kind = revoked ? SP_OUTCOME_REVOKED : SP_OUTCOME_EXPIRED;
  if (revoked && request->ended_by != NULL)
    return ended_text ("Revoked", request);
  return g_strdup (revoked ? "Revoked" : "Over: its time has run out");
}

char *
sp_draft_outcome (const SpRequest *request, SpNoticeKind kind, SpOutcomeKind *ret_kind)
{
  return kind == SP_NOTICE_GRANT ? grant_outcome (request, ret_kind)
                                 : ask_outcome (request, ret_kind);
}
