/* secret-proxy/json.h - the core's bounded JSON reader, for plugins that need one
 *
 * json-glib crashes on deep nesting and misreads huge integers, so nothing that comes from outside
 * reaches it unchecked: the reader bounds size and depth, refuses what JSON (RFC 8259) leaves
 * ambiguous, and only then parses.  A plugin that includes this header links json-glib.
 */
#pragma once

#include <json-glib/json-glib.h>
#include <secret-proxy/plugin.h>

G_BEGIN_DECLS

typedef enum {
  /* Bytes that are not UTF-8 become U+FFFD instead of an error. */
  SP_JSON_REPAIR_UTF8 = 1 << 0,
} SpJsonFlags;

/* The reader's bounds. */
#define SP_JSON_MAX_LENGTH (4u * 1024u * 1024u)
#define SP_JSON_MAX_DEPTH 32

/* The tree of @text, or NULL with SP_ERROR_REFUSED and the offset of what is wrong: too long, too
 * deep, not UTF-8, a duplicate key, an integer beyond 64 bits, a NUL character, a lone surrogate, no
 * value at all, or no JSON.  Free it with json_node_unref(). */
static inline JsonNode *
sp_json_read (SpHost *host, const char *text, gsize length, guint32 flags, GError **error)
{
  return host->api->json_read (text, length, flags, error);
}

G_END_DECLS
