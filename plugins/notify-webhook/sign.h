/* sign.h - who wrote a body: HMAC-SHA256 with the secret that the vault and the service share
 *
 * Pure.  What each signature is over begins in a way of its own, so that none can stand for another: a
 * request's with its time and "{", a fetch's with "GET ", an answer's with "answer.", a button's token with
 * "sp1.".  So nothing that the vault signed is ever taken for an answer to it.
 */
#pragma once

#include <glib.h>

#define WH_FRESH_S 300 /* how far the time of an answer may be from now */
#define WH_KEY_MIN 16u /* bytes of the secret */

typedef enum {
  WH_SIGNED,
  WH_UNSIGNED, /* no signature, or one that can't be read */
  WH_WRONG,    /* somebody else's */
  WH_STALE,    /* the service's, but too old, or its clock differs */
} WhSigned;

/* Lower-case hex of HMAC-SHA256 over @start and @length bytes at @rest.  Free it. */
char *wh_mac (GBytes *key, const char *start, gconstpointer rest, gsize length);
/* Whether two texts are the same, in a time that depends on their lengths only. */
gboolean wh_same (const char *a, const char *b);

/* "t=TIME,v1=HEX" over "TIME." and the body.  Free it. */
char *wh_sign_body (GBytes *key, gint64 now, gconstpointer body, gsize length);
/* The same over "TIME.GET TARGET"; @target as it stands in the request's first line. */
char *wh_sign_fetch (GBytes *key, gint64 now, const char *target);

/* What @header, "t=TIME,v1=HEX", says of a body that came as an answer: the signature is over
 * "TIME.answer." and the body.  @ret_age: how many seconds ago it was signed, with WH_STALE. */
WhSigned wh_check_answer (GBytes *key, const char *header, gconstpointer body, gsize length,
                          gint64 now, gint64 *ret_age);

/* A UUID for what happened (@event) to what (@id): the same whenever it is sent again.  Free it. */
char *wh_delivery (GBytes *key, const char *event, const char *id);
