/* journal.h - how far an interrupted takeover had come: `takeover.json` in the vault's folder
 *
 * Written and flushed before each step begins, so that a step that is not in it was not begun.  While
 * somebody works on it the folder is locked; a journal without a lock is that of a run that died.
 *
 *      {"format":1,"image":HEX|null,"port":N,"source":NAME,"step":N}
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  char *source;
  char *image; /* NULL: not known yet */
  guint16 port;
  guint step; /* the last one that was begun */
} SpTakeoverJournal;

void sp_takeover_journal_clear (SpTakeoverJournal *journal);

/* The lock; -1 with SP_PROBLEM_CONFLICT where another process has it. */
int sp_takeover_lock (int folder, GError **error);

gboolean sp_takeover_journal_exists (int folder);
gboolean sp_takeover_journal_write (const SpTakeoverJournal *journal, int folder, GError **error);
gboolean sp_takeover_journal_read (SpTakeoverJournal *ret_journal, int folder, GError **error);
void sp_takeover_journal_remove (int folder);

/* Everything in @folder but the journal.  It follows no link and crosses no mount; the journal stays while
 * anything else does. */
gboolean sp_takeover_folder_clear (int folder, GError **error);
/* The same, then the journal, then the folder itself at @path. */
gboolean sp_takeover_folder_remove (int folder, const char *path, GError **error);
/* Whether there is nothing in it; a journal that was never whole is nothing, and goes. */
gboolean sp_takeover_folder_is_empty (int folder);
