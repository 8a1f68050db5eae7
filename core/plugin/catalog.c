/* catalog.c - all plugins of a folder, and descriptions that are asked for only once */
#include "plugin/info.h"

#include <string.h>

#include "base/problem.h"
#include "plugin/find.h"

struct _SpPluginCatalog {
  char *dir;
  GHashTable *infos; /* path -> SpPluginInfo */
};

static void
entry_free (gpointer data)
{
  SpPluginEntry *entry = data;

  g_free (entry->path);
  sp_plugin_info_free (entry->info);
  g_clear_error (&entry->error);
  g_free (entry);
}

GPtrArray *
sp_plugin_list (const char *dir, GError **error)
{
  g_autofree char *folder = dir != NULL ? g_strdup (dir) : sp_plugin_default_dir ();
  g_auto (GStrv) files = sp_plugin_files (folder, error);
  g_autoptr (GPtrArray) entries = NULL;

  if (files == NULL)
    return NULL;
  entries = g_ptr_array_new_with_free_func (entry_free);
  for (gsize i = 0; files[i] != NULL; i++) {
    SpPluginEntry *entry = g_new0 (SpPluginEntry, 1);

    entry->path = g_build_filename (folder, files[i], NULL);
    entry->info = sp_plugin_describe (entry->path, &entry->error);
    g_ptr_array_add (entries, entry);
  }
  return g_steal_pointer (&entries);
}

SpPluginCatalog *
sp_plugin_catalog_new (const char *dir)
{
  SpPluginCatalog *catalog = g_new0 (SpPluginCatalog, 1);

  catalog->dir = dir != NULL ? g_strdup (dir) : sp_plugin_default_dir ();
  catalog->infos =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) sp_plugin_info_free);
  return catalog;
}

void
sp_plugin_catalog_free (SpPluginCatalog *catalog)
{
  if (catalog == NULL)
    return;
  g_free (catalog->dir);
  g_hash_table_unref (catalog->infos);
  g_free (catalog);
}

const char *
sp_plugin_catalog_dir (const SpPluginCatalog *catalog)
{
  return catalog->dir;
}

const SpPluginInfo *
sp_plugin_catalog_get (SpPluginCatalog *catalog, const char *kind_word, const char *plugin,
                       GError **error)
{
  g_autofree char *path = NULL;
  SpPluginInfo *info;
  SpKind kind;

  if (!sp_kind_from_word (kind_word, &kind)) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNSUPPORTED, "this release has no %s plugins",
                 kind_word);
    return NULL;
  }
  path = sp_plugin_find (catalog->dir, kind_word, plugin, error);
  if (path == NULL)
    return NULL;
  info = g_hash_table_lookup (catalog->infos, path);
  if (info != NULL)
    return info;
  info = sp_plugin_describe (path, error);
  if (info != NULL)
    g_hash_table_insert (catalog->infos, g_steal_pointer (&path), info);
  return info;
}

gboolean
sp_plugin_catalog_describe (const char *kind_word, const char *plugin, const SpOption **ret_options,
                            gsize *ret_n_options, gpointer catalog, GError **error)
{
  const SpPluginInfo *info = sp_plugin_catalog_get (catalog, kind_word, plugin, error);

  if (info == NULL)
    return FALSE;
  *ret_options = info->options;
  *ret_n_options = info->n_options;
  return TRUE;
}
