/* lines.c - the scanning of lines.h */
#include "lines.h"

#include <string.h>

#define MAX_ID 64u

gboolean
wh_lines_next (WhLines *lines, const char **ret_line, gsize *ret_length)
{
  const char *newline =
      lines->at < lines->end ? memchr (lines->at, '\n', (gsize) (lines->end - lines->at)) : NULL;

  if (newline == NULL)
    return FALSE;
  *ret_line = lines->at;
  *ret_length = (gsize) (newline - lines->at);
  lines->at = newline + 1;
  return TRUE;
}

char *
wh_lines_id (const char *line, gsize length)
{
  static const char start[] = "{\"id\":\"";
  gsize skip = strlen (start);
  gsize n = 0;

  if (length < skip || memcmp (line, start, skip) != 0)
    return NULL;
  while (skip + n < length && n <= MAX_ID && g_ascii_isalnum (line[skip + n]))
    n++;
  if (n == 0 || n > MAX_ID || skip + n >= length || line[skip + n] != '"')
    return NULL;
  return g_strndup (line + skip, n);
}
