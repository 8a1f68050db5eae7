/* json.h - the one way into json-glib
 *
 * json-glib 1.6 recurses without a bound, reads an integer beyond 64 bits as -1, takes the last of two
 * equal keys and cuts strings at a NUL.  So a small scanner walks the text first, with a bounded
 * depth and no recursion, and refuses all of that; only then does json-glib build the tree.
 * RFC 8259 is the grammar; I-JSON (RFC 7493) the reason for what is refused beyond it.
 */
#pragma once

#include <secret-proxy/json.h>

#include "base/secret.h"

/* As sp_json_read() in secret-proxy/json.h; this is the function behind it. */
JsonNode *sp_json_parse (const char *text, gsize length, guint32 flags, GError **error);

/* Only the checks; flags as above but nothing is repaired. */
gboolean sp_json_check (const char *text, gsize length, GError **error);

/* The one object of @text with members among @allowed (NULL-terminated), or SP_PROBLEM_INVALID with
 * the name of the first field that is not. */
JsonObject *
sp_json_parse_object (const char *text, gsize length, const char *const *allowed, GError **error);

/* Find the string member @name of the object that is member "params" of the object @text, decode it
 * from base64 into locked memory, and overwrite it in @text with '*', so that json-glib never holds
 * it.  TRUE with @ret_secret NULL where there is none.  @text must have passed sp_json_check(). */
gboolean sp_json_take_secret (char *text, gsize length, const char *name, SpSecret **ret_secret,
                              GError **error);

/* Members of an object.  Absent: FALSE without an error from _has; the getters below return the
 * fallback where it is absent, and SP_PROBLEM_INVALID naming the field where it has another type. */
gboolean
sp_json_get_string (JsonObject *object, const char *name, const char **ret_value, GError **error);
gboolean sp_json_get_int (JsonObject *object, const char *name, gint64 *ret_value, GError **error);
gboolean
sp_json_get_bool (JsonObject *object, const char *name, gboolean *ret_value, GError **error);

/* An object of the pairs of an a{ss}. */
JsonObject *sp_json_object_of_strings (GVariant *strings);

/* Compact text of @node. */
char *sp_json_text (JsonNode *node);

/* @text as a JSON string, with its quotes, appended to @out.  @text must be UTF-8. */
void sp_json_append_string (GString *out, const char *text, gssize length);
