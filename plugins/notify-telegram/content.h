/* content.h - a notice of our own: what it says and asks, kept beyond the call that brought it
 *
 * A notice that waits for its turn, or that a chat has not got yet, must be shown later without the core's
 * help, also after a restart.
 */
#pragma once

#include <secret-proxy/notifier.h>

typedef struct {
  SpNotice notice; /* the id is not among what is written */
  GPtrArray *texts;
} TgContent;

TgContent *tg_content_new (const SpNotice *notice);
void tg_content_free (TgContent *content);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TgContent, tg_content_free)

/* As one word of ASCII, or NULL where that would be longer than @max.  Free it. */
char *tg_content_write (const TgContent *content, gsize max);
/* NULL: that is none. */
TgContent *tg_content_read (SpHost *host, const char *word, const char *id);

/* Whether @notice asks for a decision that releases something; FALSE where it only informs, or can only
 * take away (a grant that may be revoked). */
gboolean tg_content_asks (const SpNotice *notice);

/* What the core says about it, on one line of at most @max characters.  Free it. */
char *tg_content_summary (const SpNotice *notice, gsize max);
