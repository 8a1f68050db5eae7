/* last-line.h - the last thing that a log says, for an error that has to explain itself */
#pragma once

#include <glib.h>

/* The last line of @path after @from bytes that begins with @prefix, else the last that is not empty; harmless
 * for the eyes and short; NULL: there is none.  Reads the end of the file only. */
char *sp_last_line (const char *path, goffset from, const char *prefix);
/* How long @path is now; 0: there is none. */
goffset sp_last_line_mark (const char *path);
