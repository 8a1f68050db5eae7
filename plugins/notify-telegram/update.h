/* update.h - what one update of the Bot API says
 *
 * Pure functions over a tree that the bounded reader made.  Every member may be missing or of another
 * type: an update is written by a server from what strangers' clients sent.
 */
#pragma once

#include <secret-proxy/json.h>

typedef struct {
  gint64 update_id;
  char *query_id;
  gint64 user, chat, message; /* 0: not given */
  char *data;                 /* NULL: none */
  gboolean private_chat;
  gboolean accessible; /* Telegram shows what the message holds now */
  gboolean edited;
  char *text_digest;   /* of the text as it stands now; NULL: no text */
  char *keys_digest;   /* of the keyboard; NULL: not told */
  gboolean answered;   /* a toast was sent; kept by taps.c */
  const char *refusal; /* why it can't count, whatever its data; NULL: nothing against it */
} TgTap;

void tg_tap_free (TgTap *tap);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TgTap, tg_tap_free)

/* The id of @update.  FALSE: it has none that makes sense. */
gboolean tg_update_id (JsonNode *update, gint64 *ret_id);

/* The tap that @update tells of, or NULL: it is no tap, or one without an id to answer to. */
TgTap *tg_update_tap (JsonNode *update);

/* Whether ids like @user can belong to a person (Bot API: at most 52 bits; some ids stand for anonymous
 * admins, channels and the service account). */
gboolean tg_is_person (gint64 user);

/* Members of @object, checked.  NULL or 0 where absent or of another type. */
JsonObject *tg_member_object (JsonObject *object, const char *name);
JsonArray *tg_member_array (JsonObject *object, const char *name);
const char *tg_member_string (JsonObject *object, const char *name);
gint64 tg_member_int (JsonObject *object, const char *name);
gboolean tg_member_bool (JsonObject *object, const char *name, gboolean fallback);

/* What a message shows, white space left out, as a hexadecimal digest: to see whether somebody else
 * has changed it.  Free it. */
char *tg_digest_text (const char *text);
/* The same for labels and data of @reply_markup, as sent or as told. */
char *tg_digest_keys (JsonObject *reply_markup);

/* The update_id in the @length raw bytes of an answer with one update, for an answer that no reader
 * takes (not UTF-8, too deep, too long, cut off).  Bounded, no recursion.  FALSE: not found. */
gboolean tg_scan_update_id (const char *bytes, gsize length, gint64 *ret_id);
