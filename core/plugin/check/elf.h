/* elf.h - which symbols a shared object gives to others, read without loading it
 *
 * The file is a stranger's: every offset is checked before it is followed.
 */
#pragma once

#include <gio/gio.h>

/* The names of all symbols that @path exports, NULL-terminated.  The error says what is no shared object
 * for this machine about it, or what cannot be read. */
char **sp_elf_exports (const char *path, GError **error);
