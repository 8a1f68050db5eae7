/* secret-proxy/notifier.h - a way to reach the person who decides
 *
 * This table is meant to be stable: a notifier built today loads in later cores.
 *
 * A notifier shows notices (an agent asks; a grant is open, and can be revoked; something to know, without
 * choices) and carries answers back; it decides nothing.  The core checks who
 * answered, whether it still matters and whether it suffices, and says so in the reply.
 */
#pragma once

#include <secret-proxy/plugin.h>

G_BEGIN_DECLS

#define SP_NOTIFIER_ABI 1u

typedef enum {
  SP_CHOICE_PLAIN,
  SP_CHOICE_APPROVE, /* releases something: show it as such */
  SP_CHOICE_DENY,
} SpChoiceStyle;

typedef struct {
  const char *id;    /* give it back in SpAnswer.choice_id */
  const char *label; /* at most 40 characters, written by the core */
  guint32 style;     /* SpChoiceStyle */
} SpChoice;

typedef enum {
  SP_FIELD_CORE,  /* written by the core or the admin */
  SP_FIELD_AGENT, /* written by an agent: a claim, hostile; mark it as such and escape it */
} SpFieldOrigin;

typedef struct {
  const char *label; /* written by the core */
  const char *value; /* one line; control, bidi and invisible characters are already removed */
  guint32 origin;    /* SpFieldOrigin */
} SpField;

typedef struct {
  gsize size;
  const char *id;    /* opaque, unguessable, at most 64 characters */
  const char *title; /* written by the core */
  const SpField *fields;
  gsize n_fields;
  const SpChoice *choices; /* none: for information only */
  gsize n_choices;
  gint64 expires_at; /* seconds since the epoch; 0: never */
} SpNotice;

typedef enum {
  SP_OUTCOME_APPROVED = 1,
  SP_OUTCOME_DENIED,
  SP_OUTCOME_EXPIRED,
  SP_OUTCOME_CANCELLED, /* withdrawn by the agent, or what it was for is gone */
  SP_OUTCOME_REVOKED,
} SpOutcomeKind;

typedef struct {
  gsize size;
  guint32 kind;     /* SpOutcomeKind */
  const char *text; /* one line, written by the core: what happened, by whom, when */
} SpOutcome;

struct _SpNotifierOps {
  guint32 flags;    /* none yet */
  guint32 max_text; /* longest text that it can show, in characters; unset: no limit */

  /* Show @notice to the listed people.  TRUE: the channel has taken it.  The core repeats the call
   * with the same id after a crash or an SP_ERROR_UNAVAILABLE until it succeeds, so it must be
   * idempotent: recall() what was sent.  SP_ERROR_REFUSED: nobody can be reached, don't repeat. */
  gboolean (*post) (gpointer self, const SpNotice *notice, GCancellable *cancellable,
                    GError **error);
  /* Say that @notice (as it was posted, without choices) is closed.  Repeated like post(), also for
   * a notice that was never shown.  After TRUE forget all about it.  Unset: left as it was shown. */
  gboolean (*settle) (gpointer self, const SpNotice *notice, const SpOutcome *outcome,
                      GCancellable *cancellable, GError **error);
  /* The text that post() would send, in at most max_text characters.  Pure.  Fields of agents are marked
   * as theirs, and whatever is in a value stays on its line and in sight.  Unset: no preview. */
  char *(*render) (const SpNotice *notice);
};

/* Append @text as one line that changes nothing around it: what breaks a line, moves the cursor, turns
 * text around or is invisible becomes \u{HEX}, and so does a backslash.  For channels of plain text;
 * others have rules of their own on top (Markdown, HTML). */
static inline void
sp_append_escaped (GString *out, const char *text)
{
  for (; *text != '\0'; text = g_utf8_next_char (text)) {
    gunichar c = g_utf8_get_char (text);

    if (c != '\\' && g_unichar_isprint (c) && (c == ' ' || !g_unichar_isspace (c)) && c != 0x2028 &&
        c != 0x2029)
      g_string_append_unichar (out, c);
    else
      g_string_append_printf (out, "\\u{%x}", c);
  }
}

#define SP_NOTIFIER_PLUGIN(ops, ...) \
  SP_PLUGIN_DEFINE_ (SP_KIND_NOTIFIER, ops, SP_NOTIFIER_ABI, __VA_ARGS__)

G_END_DECLS
