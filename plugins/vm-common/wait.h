/* wait.h - waiting inside a call, while the plugin's own sources go on
 *
 * The thread-default context is iterated, so consoles are read and ends of processes noticed meanwhile.
 */
#pragma once

#include <gio/gio.h>

typedef gboolean (*SpQemuDone) (gpointer data);

/* Until @done says so: TRUE.  FALSE: @cancellable (may be NULL) was cancelled, or @ms have passed. */
gboolean sp_qemu_wait (GCancellable *cancellable, guint ms, SpQemuDone done, gpointer data);
