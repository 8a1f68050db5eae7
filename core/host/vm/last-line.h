/* last-line.h - the last thing that a log says, for an error that has to explain itself */
#pragma once

#include <glib.h>

/* The last line of @path that begins with @prefix, else the last that is not empty; harmless for the eyes and
 * short; NULL: there is none.  Reads the end of the file only. */
char *sp_last_line (const char *path, const char *prefix);
