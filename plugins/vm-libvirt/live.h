/* live.h - whether a domain that runs is still what it was started as */
#pragma once

#include <glib.h>

/* The description of a domain in one form, without what changes by itself.  NULL: it is no XML. */
char *sp_libvirt_live_form (const char *xml);

/* How @now differs from @then, both in that form: words with the first line that came or, where none did, went,
 * short and printable.  NULL: not at all. */
char *sp_libvirt_live_difference (const char *then, const char *now);
