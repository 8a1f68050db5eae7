/* lines.h - a body of one JSON object a line, as far as it has come
 *
 * Pure.
 */
#pragma once

#include <glib.h>

typedef struct {
  const char *at, *end;
} WhLines;

/* The next whole line, without its end; FALSE: there is none (what is left is at @lines->at). */
gboolean wh_lines_next (WhLines *lines, const char **ret_line, gsize *ret_length);

/* The id that an object of ntfy begins with, {"id":"ID", found without reading the rest: so that one that can't
 * be read can be stepped over.  NULL: there is none.  Free it. */
char *wh_lines_id (const char *line, gsize length);
