/* bundle.h - what differs where a program runs from its bundle, on a machine that it knows nothing of
 *
 * A bundle (docs/containers.md) is /opt/secret-proxy with all that the programs need.  Its programs are
 * linked to find their loader and libraries there.  What libraries look up by themselves while they run
 * is set right here.  What must stay true: nothing is loaded into our processes that is not the
 * bundle's, and what we start inherits nothing of it, as a module of ours fits no other C library.
 */
#pragma once

#include <gio/gio.h>

/* First in main(), after setlocale(), and before there are threads.  Does nothing outside of a bundle. */
void sp_bundle_enter (void);

/* Have TLS trust the bundle's certificates, unless it is told otherwise; for a process that speaks with
 * services.  Outside of a bundle: TRUE, and the machine's are trusted.  Reads a file. */
gboolean sp_bundle_trust (GError **error);
