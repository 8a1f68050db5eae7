/* prove.h - whether a vault that was just started is what it ought to be, as its agents see it
 *
 * Verbs of this program, each as a process of its own: they speak HTTP as any client does.
 */
#pragma once

#include <gio/gio.h>

/* It proves over HTTPS, with a fresh nonce, that it holds the key that the host's statement names. */
gboolean sp_vm_prove (const char *folder, GError **error);
/* It works and so do all its plugins, by its own word.  FALSE also where nobody answers. */
gboolean sp_vm_is_well (const char *folder);
/* What does not work in it, for people: "notify telegram: …"; NULL: it serves, or does not say. */
char *sp_vm_why_not (const char *folder);
/* /health over HTTPS, with the key pinned. */
gboolean sp_vm_serves (const char *folder, GError **error);
