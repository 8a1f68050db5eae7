/* token.h - a button's token: one answer of one person to one notice, and nothing else
 *
 *      sp1.NOTICE.CHOICE.PERSON.EXPIRES.MAC
 *
 * Pure.  A service that can't sign (ntfy) carries the notice with its tokens to a person, and the one that
 * was tapped back.  Whoever has got the notice can answer it for that person; nobody can make another one.
 */
#pragma once

#include <glib.h>

typedef struct {
  char *notice;
  char *choice;
  char *person;
  gint64 expires_at; /* seconds since the epoch; 0: never */
} WhToken;

void wh_token_clear (WhToken *token);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (WhToken, wh_token_clear)

typedef enum {
  WH_TOKEN_GOOD,
  WH_TOKEN_NONE,   /* this is some other text */
  WH_TOKEN_FORGED, /* it looks like one, and is not ours */
} WhTokenResult;

/* Free it. */
char *wh_token_make (GBytes *key, const WhToken *token);
/* With WH_TOKEN_GOOD @ret_token, which must be zeroed, is filled in; whether it has run out is not checked. */
WhTokenResult wh_token_read (GBytes *key, const char *text, WhToken *ret_token);
