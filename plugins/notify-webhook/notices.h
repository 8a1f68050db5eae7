/* notices.h - which notice was sent where
 *
 * Remembered by the core under "notice/ID", before the first byte of it leaves and again when it has arrived,
 * so that a restart neither sends it twice (as far as can be known) nor leaves it open.
 */
#pragma once

#include <secret-proxy/notifier.h>

typedef struct _WhNotices WhNotices;

typedef struct {
  char *target;
  gboolean arrived; /* else it may have */
} WhPlace;

typedef struct {
  char *id;
  gint64 expires_at; /* seconds since the epoch; 0: never */
  GPtrArray *places; /* WhPlace */
  GHashTable
      *given; /* answers that the core has judged, as a set: "CHOICE PERSON"; not remembered */
} WhNotice;

WhNotices *wh_notices_new (SpHost *host);
void wh_notices_free (WhNotices *notices);

/* Read back what is remembered.  Forgets what ran out a week ago and was never settled. */
void wh_notices_load (WhNotices *notices);
/* Whether any is open. */
gboolean wh_notices_any (WhNotices *notices);
/* NULL: not known. */
WhNotice *wh_notices_find (WhNotices *notices, const char *id);
WhNotice *wh_notices_add (WhNotices *notices, const char *id, gint64 expires_at);
/* Make it durable as it is now. */
gboolean wh_notices_keep (WhNotices *notices, WhNotice *notice, GError **error);
/* Forget @notice, here and in the core. */
gboolean wh_notices_forget (WhNotices *notices, WhNotice *notice, GError **error);
/* The place for @target, made where there is none. */
WhPlace *wh_notice_place (WhNotice *notice, const char *target);
