/* monitor.h - a client of QEMU's monitor protocol (QMP)
 *
 * Commands are constants; what comes back is bounded and read by the core's JSON reader, since a guest that
 * has taken over its QEMU would speak here.
 */
#pragma once

#include <secret-proxy/json.h>

typedef struct _SpQemuMonitor SpQemuMonitor;

/* Takes @fd, a connected socket. */
SpQemuMonitor *sp_qemu_monitor_new (SpHost *host, int fd);
/* The monitor that listens at @path. */
SpQemuMonitor *sp_qemu_monitor_connect (SpHost *host, const char *path, GError **error);
void sp_qemu_monitor_free (SpQemuMonitor *monitor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpQemuMonitor, sp_qemu_monitor_free)

/* Wait for the greeting and begin.  @ms: the most to wait. */
gboolean
sp_qemu_monitor_begin (SpQemuMonitor *monitor, guint ms, GCancellable *cancellable, GError **error);

/* The value of "return".  @command: a name; @arguments: a JSON object or NULL; both constants. */
JsonNode *sp_qemu_monitor_call (SpQemuMonitor *monitor, const char *command, const char *arguments,
                                GCancellable *cancellable, GError **error);
/* Where there is nothing to know but whether it worked. */
gboolean sp_qemu_monitor_do (SpQemuMonitor *monitor, const char *command, GCancellable *cancellable,
                             GError **error);

/* The state that query-status names ("running", "paused", ...) as an SpVmState. */
gboolean sp_qemu_monitor_state (SpQemuMonitor *monitor, guint32 *ret_state,
                                GCancellable *cancellable, GError **error);
/* What it runs with, as an SpVmAcceleration. */
gboolean sp_qemu_monitor_acceleration (SpQemuMonitor *monitor, guint32 *ret_acceleration,
                                       GCancellable *cancellable, GError **error);

/* The reason of the event SHUTDOWN: "guest-shutdown", "guest-reset", ...; NULL: there was none. */
const char *sp_qemu_monitor_shutdown (const SpQemuMonitor *monitor);
/* Call @func when QEMU has stopped the guest because a disk could not be read or written. */
void
sp_qemu_monitor_on_disk_error (SpQemuMonitor *monitor, void (*func) (gpointer data), gpointer data);
/* Why it did, in words; NULL: it did not. */
const char *sp_qemu_monitor_disk_error (const SpQemuMonitor *monitor);
/* Read what is there already. */
void sp_qemu_monitor_drain (SpQemuMonitor *monitor);
