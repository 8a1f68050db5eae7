/* notices.h - which notice is shown where, and which button means what
 *
 * A notice is shown at one or more places (chats).  Each place has a token for each choice, the ids of
 * the messages that show it, and how many sends ended without a word about their effect.  All of it is
 * remembered by the core under "notice/ID", and so survives a restart.
 */
#pragma once

#include "content.h"

typedef struct _TgNotices TgNotices;
typedef struct _TgNotice TgNotice;
typedef struct _TgPlace TgPlace;
typedef struct _TgDelivery TgDelivery;

typedef struct {
  TgPlace *place;
  char *token; /* 22 characters of base64url: 128 random bits */
  char *choice;
} TgButton;

struct _TgPlace {
  TgNotice *notice;
  gint64 chat;
  guint unsure;         /* sends that may have made a message that we don't know of */
  GArray *messages;     /* gint64 */
  char *text_digest;    /* of what is shown there: tg_digest_text(); never NULL */
  char *keys_digest;    /* tg_digest_keys() */
  GPtrArray *buttons;   /* TgButton */
  gint64 reminder;      /* the message that reminds of it; 0: none */
  gint64 hold_until;    /* monotonic; no further try before; not remembered */
  guint failures;       /* in a row; not remembered */
  TgDelivery *delivery; /* the sending under way, send.c's; not remembered */
  void (*delivery_free) (TgDelivery *delivery);
};

#define TG_REMINDED -1

struct _TgNotice {
  char *id;
  gint64 expires_at;  /* seconds since the epoch; 0: never */
  GPtrArray *places;  /* TgPlace */
  TgContent *content; /* NULL: not known, or too long to be kept */
  gint64 waiting; /* since when (wall clock, microseconds) it waits for its turn; 0: it does not */
  gint64 remind_at;  /* seconds since the epoch; 0: not planned; TG_REMINDED */
  gboolean admitted; /* it had its turn already; not remembered */
  gboolean closing;  /* it is decided; not remembered */
};

TgNotices *tg_notices_new (SpHost *host);
void tg_notices_free (TgNotices *notices);

/* Read back what is remembered.  Forgets what ran out a week ago and was never settled. */
void tg_notices_load (TgNotices *notices);

/* A new token: 128 random bits.  Free it. */
char *tg_token_new (void);

typedef void (*TgNoticeFunc) (TgNotice *notice, gpointer data);
/* Call @func for each, which must neither add nor forget one. */
void tg_notices_each (TgNotices *notices, TgNoticeFunc func, gpointer data);

/* NULL: not known. */
TgNotice *tg_notices_find (TgNotices *notices, const char *id);
TgNotice *tg_notices_add (TgNotices *notices, const char *id, gint64 expires_at);
/* Make it durable as it is now. */
gboolean tg_notices_keep (TgNotices *notices, TgNotice *notice, GError **error);
/* Forget @notice, here and in the core.  Its tokens are known as old ones for a while. */
gboolean tg_notices_forget (TgNotices *notices, TgNotice *notice, GError **error);

/* Give @notice what it says, unless it has that already. */
void tg_notice_set_content (TgNotice *notice, const SpNotice *said);
/* Whether some place shows it. */
gboolean tg_notice_is_shown (TgNotice *notice);

/* Leave @chat out of @notice: its buttons there mean nothing any more. */
void tg_notices_drop_place (TgNotices *notices, TgNotice *notice, gint64 chat);

/* The place for @chat, made where there is none. */
TgPlace *tg_notice_place (TgNotice *notice, gint64 chat);
/* The button of @choice at @place, made with a new token where there is none. */
TgButton *tg_notices_button (TgNotices *notices, TgPlace *place, const char *choice);
/* The live button with @token; NULL: none. */
TgButton *tg_notices_look_up (TgNotices *notices, const char *token);
/* Whether @token was on a button of @chat whose notice is settled. */
gboolean tg_notices_is_old (TgNotices *notices, const char *token, gint64 chat);

gboolean tg_place_has_message (TgPlace *place, gint64 message);
/* Add @message, which ends one uncertainty unless it is known already. */
void tg_place_add_message (TgPlace *place, gint64 message);
