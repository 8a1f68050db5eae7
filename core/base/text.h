/* text.h - text of strangers, made harmless for the eyes of a person */
#pragma once

#include <gio/gio.h>

/* One line of at most @max_chars characters: white space of any kind becomes one space, and what is
 * invisible or turns text around (control characters, bidirectional marks, zero-width characters, tags,
 * private use) is left out.  What is cut off is shown by an ellipsis. */
char *sp_text_clean (const char *text, gsize max_chars);
