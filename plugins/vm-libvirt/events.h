/* events.h - libvirt's event loop on the plugin's GMainContext
 *
 * libvirt's own loop runs on the default context, which in a plugin host is the core's; so it is given this
 * one, and every callback of libvirt comes on the plugin's thread, between calls or while one waits.
 */
#pragma once

#include <glib.h>

/* Before any connection.  Again: from now on it is the thread-default context of this call. */
void sp_libvirt_events_begin (void);
