/* classify.h - what an answer of the Bot API means
 *
 * Pure.  The server's texts are its own (telegram-bot-api 10.0); error_code equals the HTTP status.
 */
#pragma once

#include "api.h"

typedef struct {
  TgOutcome outcome;
  JsonNode *root; /* owned; NULL: the body was not readable */
  JsonNode *result;
  char *what;
  gint64 migrated;
  guint retry_after; /* seconds, 1..300, with TG_FLOOD */
} TgAnswer;

void tg_answer_clear (TgAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TgAnswer, tg_answer_clear)

/* @status: HTTP; @retry_after: that header or NULL; @complete: FALSE where the body is longer than may be
 * read.  Fills in @answer, which must be zeroed. */
void tg_classify (SpHost *host, guint status, const char *retry_after, const char *body,
                  gsize length, gboolean complete, TgAnswer *answer);
