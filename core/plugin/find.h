/* find.h - where plugins lie, and whether that place can be trusted
 *
 * The file of plugin NAME of a kind is DIR/KIND-NAME.so.  A plugin runs with the rights of the process
 * that loads it, so whoever can write to its folder has those rights: the folder must belong to root
 * or the running user and be writable by nobody else.
 */
#pragma once

#include <secret-proxy/plugin.h>

/* The words of file names and of the config file.  NULL or FALSE where there is none. */
const char *sp_kind_word (SpKind kind);
gboolean sp_kind_from_word (const char *word, SpKind *ret_kind);

/* Lower case letters, digits, dashes; the first one a letter; at most 32. */
gboolean sp_plugin_is_name (const char *name);

/* The folder of plugins: $SECRET_PROXY_PLUGIN_DIR (not in a set-user-id program), else ../plugins
 * beside the folder of this program where that holds plugins (a build tree), else where they are
 * installed.  Free it. */
char *sp_plugin_default_dir (void);

/* The path of plugin @name of the kind @kind_word in @dir; a @name with a slash is a path already.
 * Checks the folder and the file (see sp_plugin_open_dir()).  SP_PROBLEM_CONFIG otherwise; where
 * there is no such file it names the nearest plugin. */
char *sp_plugin_find (const char *dir, const char *kind_word, const char *name, GError **error);

/* Open and check a folder: a descriptor to look into and load from, so that what was checked is what
 * is used.  -1: not there, of another user, or writable by others. */
int sp_plugin_open_dir (const char *dir, GError **error);
/* The same for the file @name in it: regular, or a link to a regular one. */
gboolean sp_plugin_check_file (int dir_fd, const char *dir, const char *name, GError **error);

/* The names of the files KIND-NAME.so in @dir, sorted; NULL-terminated. */
char **sp_plugin_files (const char *dir, GError **error);

/* "notify-file.so" -> kind word and name.  FALSE: no plugin's name.  Free both. */
gboolean sp_plugin_split (const char *file, char **ret_kind_word, char **ret_name);
