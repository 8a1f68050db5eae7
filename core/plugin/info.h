/* info.h - what a plugin says about itself, found out without loading it here
 *
 * Loading a shared object runs its code.  So a program that may hold a key, or runs as root, never
 * does it: a short-lived child loads the plugin and sends its description back.
 */
#pragma once

#include <secret-proxy/plugin.h>

#include "plugin/loader.h"

typedef struct {
  char *path;
  char *kind; /* "notify", "store", "vm" */
  char *name;
  char *version;
  char *summary;
  guint32 abi, ops_abi;
  char **calls; /* the calls that it provides */
  SpOption *options;
  gsize n_options;
} SpPluginInfo;

void sp_plugin_info_free (SpPluginInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpPluginInfo, sp_plugin_info_free)

SpPluginInfo *sp_plugin_info_new (const SpPluginModule *module);
/* To and from another process; the second checks everything. */
GVariant *sp_plugin_info_to_variant (const SpPluginInfo *info);
SpPluginInfo *sp_plugin_info_from_variant (GVariant *variant, GError **error);
/* {"name","kind","version","summary","path","abi","ops_abi","calls","options"} */
char *sp_plugin_info_to_json (const SpPluginInfo *info);
/* The plugin's page in the manual: what it is, its options, its calls. */
char *sp_plugin_info_to_markdown (const SpPluginInfo *info);

/* Describe the plugin at @path in a child process; blocks for at most 5 seconds.  The child is
 * `secret-proxyd --describe PATH` from the folder of this program, or this program itself where that
 * is not there; it writes to descriptor 3, and its stdout is our stderr. */
SpPluginInfo *sp_plugin_describe (const char *path, GError **error);
/* The child's side: load @path, write the description to @fd.  Returns the exit status. */
int sp_plugin_describe_main (const char *path, int fd);

typedef struct {
  char *path;
  SpPluginInfo *info; /* NULL: @error says why */
  GError *error;
} SpPluginEntry;

/* All plugins in @dir (NULL: the default one), SpPluginEntry, sorted by file name.  Blocks. */
GPtrArray *sp_plugin_list (const char *dir, GError **error);

/* ---- descriptions of one folder, each asked for once ------------------------------------------- */

typedef struct _SpPluginCatalog SpPluginCatalog;

/* @dir NULL: the default one. */
SpPluginCatalog *sp_plugin_catalog_new (const char *dir);
void sp_plugin_catalog_free (SpPluginCatalog *catalog);
const char *sp_plugin_catalog_dir (const SpPluginCatalog *catalog);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpPluginCatalog, sp_plugin_catalog_free)

/* Find and describe; the catalog's.  Blocks.  @plugin: a name or a path. */
const SpPluginInfo *sp_plugin_catalog_get (SpPluginCatalog *catalog, const char *kind_word,
                                           const char *plugin, GError **error);
/* An SpConfigDescribe; @catalog is its data. */
gboolean
sp_plugin_catalog_describe (const char *kind_word, const char *plugin, const SpOption **ret_options,
                            gsize *ret_n_options, gpointer catalog, GError **error);
