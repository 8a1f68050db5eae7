/* last-line.c - last-line.h */
#include "host/vm/last-line.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define TAIL 4096
#define MAX_CHARS 1000u

/* The end of the file, but nothing before @from, as text; NULL: there is none, or no file. */
static char *
read_tail (const char *path, goffset from)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  char tail[TAIL];
  struct stat st;
  gssize n = 0;

  if (fd < 0)
    return NULL;
  if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode)) {
    /* One that has become shorter was begun anew. */
    if (from > st.st_size)
      from = 0;
    n = pread (fd, tail, TAIL, MAX (st.st_size - TAIL, from));
  }
  (void) close (fd);
  return n > 0 ? g_utf8_make_valid (tail, n) : NULL;
}

char *
sp_last_line (const char *path, goffset from, const char *prefix)
{
  g_autofree char *text = read_tail (path, from);
  g_auto (GStrv) lines = text ? g_strsplit (text, "\n", -1) : NULL;
  const char *best = NULL;
  gboolean fits = FALSE;

  for (char **line = lines; line != NULL && *line != NULL; line++) {
    gboolean this_fits = g_str_has_prefix (*line, prefix);

    if (*g_strchomp (*line) == 0 || (fits && !this_fits))
      continue;
    best = *line;
    fits = this_fits;
  }
  return best ? sp_text_clean (best, MAX_CHARS) : NULL;
}

goffset
sp_last_line_mark (const char *path)
{
  struct stat st;

  return lstat (path, &st) == 0 ? st.st_size : 0;
}
