/* events.h - libvirt's event loop, on a thread of its own
 *
 * libvirt's own loop runs on the default context, which in a plugin host is the core's; so it is given this
 * one.  It needs a thread, as a call into libvirt blocks the plugin's, and that the daemon does not answer it
 * any more is noticed by a timer.  Callbacks of libvirt come on that thread.
 */
#pragma once

#include <glib.h>

/* Before any connection.  Does nothing where it runs. */
void sp_libvirt_events_begin (void);
/* After the last connection: the thread has ended. */
void sp_libvirt_events_end (void);
