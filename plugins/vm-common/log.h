/* log.h - what a guest writes on its console, in a file that can't grow beyond a bound
 *
 * The file and FILE.1, the older half, together hold at most the limit.  The bytes are the guest's: whoever
 * shows them must escape them.
 */
#pragma once

#include <glib.h>

typedef struct _SpQemuLog SpQemuLog;

/* Append to @path, made with mode 0600; a link is not followed.  @limit 0: 1 MiB. */
SpQemuLog *sp_qemu_log_open (const char *path, guint64 limit, GError **error);
/* What can't be written is dropped: a full disk must not stop a machine. */
void sp_qemu_log_write (SpQemuLog *log, const void *data, gsize length);
void sp_qemu_log_close (SpQemuLog *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpQemuLog, sp_qemu_log_close)
