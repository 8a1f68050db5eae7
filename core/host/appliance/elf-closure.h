/* elf-closure.h - the shared libraries that a program or a plugin needs, as this machine resolves them
 *
 * The dynamic loader is asked (`ld.so --list`), which maps the file and its libraries but runs nothing of
 * them.  For files of the administrator's only.
 */
#pragma once

#include <gio/gio.h>

/* name ("libc.so.6", "ld-linux-x86-64.so.2") -> path here; of all @files together.  SP_PROBLEM_CONFIG names
 * what is missing.  Blocks. */
GHashTable *sp_elf_closure (const char *const *files, GError **error);

/* What `secret-proxyd` needs, with GIO's TLS module: all of this is in every appliance. */
GHashTable *sp_elf_closure_of_daemon (GError **error);
/* The TLS module of GIO. */
char *sp_elf_tls_module (void);
/* The closure of @files, which name that module too, and the module, as recipes read it: a line for each, its
 * place below lib/ and the file here, sorted.  Free it. */
char *sp_elf_library_list (const char *const *files, GError **error);
