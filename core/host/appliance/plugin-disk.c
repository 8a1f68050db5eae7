/* plugin-disk.c - plugin-disk.h: collect, and have mksquashfs write it
 *
 * What must stay true: the same input gives the same bytes, so nothing of the time or the order of a
 * folder gets in.
 */
#include "host/appliance/plugin-disk.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/option.h"
#include "base/problem.h"
#include "host/appliance/elf-closure.h"
#include "host/appliance/image-set-private.h"
#include "host/appliance/tool.h"
#include "plugin/find.h"

#define PLUGINS "plugins"
#define LIBRARIES "lib"
#define FILES "files"
#define MAX_CARRIED (1024u * 1024u)
#define TIME "1704067200" /* of everything on it: 1 January 2024 */

/* ---- options that name files ---------------------------------------------------------------------- */

static const SpPluginInfo *
info_of (const SpConfigInstance *instance, SpPluginCatalog *catalog, GError **error)
{
  const SpPluginInfo *info =
      sp_plugin_catalog_get (catalog, instance->kind, instance->plugin, error);

  if (info == NULL)
    g_prefix_error (error, "[%s %s]: ", instance->kind, instance->name);
  return info;
}

/* files/KIND+NAME+OPTION, below the mount or the folder that it is built in; no name has a '+', so no two
 * are the same. */
static char *
carried_name (const SpConfigInstance *instance, const char *option)
{
  return g_strdup_printf (FILES "/%s+%s+%s", instance->kind, instance->name, option);
}

static gboolean
is_path (const SpPluginInfo *info, const char *key)
{
  const SpOption *option = sp_options_find (info->options, info->n_options, key);

  return option != NULL && option->type == SP_OPTION_PATH;
}

/* A vault VM has one place for data, which the store finds by itself. */
static gboolean
check_store (const SpConfigInstance *instance, const char *key, GError **error)
{
  if (strcmp (instance->kind, "store") != 0)
    return TRUE;
  g_set_error (
      error, SP_PROBLEM, SP_PROBLEM_CONFIG,
      "[store %s] %s can't be set for a vault in a machine: its data lies on the data volume",
      instance->name, key);
  return FALSE;
}

gboolean
sp_plugin_disk_map (const SpConfigInstance *instance, SpPluginCatalog *catalog, char **ret_path,
                    GVariant **ret_options, GError **error)
{
  const SpPluginInfo *info = info_of (instance, catalog, error);
  g_autofree char *base = info ? g_path_get_basename (info->path) : NULL;
  GVariantBuilder options;
  GVariantIter iter;
  const char *key, *value;

  if (info == NULL)
    return FALSE;
  g_variant_builder_init (&options, G_VARIANT_TYPE ("a{ss}"));
  g_variant_iter_init (&iter, instance->options);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value)) {
    g_autofree char *name = carried_name (instance, key);
    g_autofree char *there = g_build_filename (SP_PLUGIN_MOUNT, name, NULL);

    g_variant_builder_add (&options, "{ss}", key, is_path (info, key) ? there : value);
  }
  *ret_path = g_build_filename (SP_PLUGIN_MOUNT, PLUGINS, base, NULL);
  *ret_options = g_variant_ref_sink (g_variant_builder_end (&options));
  return TRUE;
}

/* ---- comparing ------------------------------------------------------------------------------------- */

static char *
digest_of (const char *path)
{
  g_autofree char *content = NULL;
  gsize length = 0;

  return g_file_get_contents (path, &content, &length, NULL)
             ? g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) content, length)
             : NULL;
}

static gboolean
is_same (GHashTable *content, const char *name, const char *path)
{
  const char *there = g_hash_table_lookup (content, name);
  g_autofree char *here = there ? digest_of (path) : NULL;

  return here != NULL && g_str_equal (here, there);
}

gboolean
sp_plugin_disk_fits (GHashTable *content, const SpConfigInstance *instance,
                     SpPluginCatalog *catalog, char **ret_key)
{
  const SpPluginInfo *info = info_of (instance, catalog, NULL);
  g_autofree char *base = info ? g_path_get_basename (info->path) : NULL;
  g_autofree char *plugin = info ? g_build_filename (PLUGINS, base, NULL) : NULL;
  GVariantIter iter;
  const char *key, *value;

  if (info == NULL || !is_same (content, plugin, info->path)) {
    *ret_key = g_strdup ("plugin");
    return FALSE;
  }
  g_variant_iter_init (&iter, instance->options);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value)) {
    g_autofree char *name = carried_name (instance, key);

    if (!is_path (info, key) || is_same (content, name, value))
      continue;
    *ret_key = g_strdup (key);
    return FALSE;
  }
  return TRUE;
}

/* ---- collecting ------------------------------------------------------------------------------------ */

typedef struct {
  SpPluginCatalog *catalog;
  const char *tree;
  GHashTable *content; /* name -> SHA-256 */
  GPtrArray *modules;  /* paths */
} Collection;

static gboolean
copy_file (const char *from, const char *tree, const char *name, GError **error)
{
  g_autofree char *to = g_build_filename (tree, name, NULL);
  g_autofree char *content = NULL;
  gsize length = 0;

  if (!g_file_get_contents (from, &content, &length, error) ||
      !g_file_set_contents_full (to, content, (gssize) length, G_FILE_SET_CONTENTS_NONE, 0644,
                                 error))
    return FALSE;
  return TRUE;
}

static gboolean
bring (Collection *to, const char *from, const char *name, GError **error)
{
  g_autofree char *copy = g_build_filename (to->tree, name, NULL);

  if (!copy_file (from, to->tree, name, error))
    return FALSE;
  /* Of the copy: what lies here may change while this is done. */
  g_hash_table_insert (to->content, g_strdup (name), digest_of (copy));
  return TRUE;
}

static gboolean
carry_files (const SpConfigInstance *instance, const SpPluginInfo *info, Collection *to,
             GError **error)
{
  GVariantIter iter;
  const char *key, *value;

  g_variant_iter_init (&iter, instance->options);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value)) {
    g_autofree char *name = carried_name (instance, key);
    struct stat st;

    if (!is_path (info, key))
      continue;
    if (!check_store (instance, key, error))
      return FALSE;
    if (stat (value, &st) != 0 || !S_ISREG (st.st_mode) || st.st_size > (off_t) MAX_CARRIED) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                   "[%s %s] %s: %s is no file of at most %u bytes that could be brought into the "
                   "machine",
                   instance->kind, instance->name, key, value, MAX_CARRIED);
      return FALSE;
    }
    if (!bring (to, value, name, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
collect_plugin (const SpConfigInstance *instance, Collection *to, GError **error)
{
  const SpPluginInfo *info = info_of (instance, to->catalog, error);
  g_autofree char *base = info ? g_path_get_basename (info->path) : NULL;
  g_autofree char *name = info ? g_build_filename (PLUGINS, base, NULL) : NULL;

  if (info == NULL || !carry_files (instance, info, to, error) ||
      !bring (to, info->path, name, error))
    return FALSE;
  g_ptr_array_add (to->modules, g_strdup (info->path));
  return TRUE;
}

/* Those that the vault does not need are left out, where they can't be brought. */
static gboolean
collect_notifier (const SpConfigInstance *instance, Collection *to, GError **error)
{
  g_autoptr (GError) why = NULL;

  if (instance->critical)
    return collect_plugin (instance, to, error);
  if (!collect_plugin (instance, to, &why))
    g_message ("the plugin disk goes without it: %s", why->message);
  return TRUE;
}

/* ---- what may be configured later ------------------------------------------------------------------- */

static gboolean
may_be_brought (const char *file)
{
  g_autofree char *kind = NULL;
  g_autofree char *name = NULL;

  return sp_plugin_split (file, &kind, &name) && !g_str_equal (kind, sp_kind_word (SP_KIND_VM));
}

static gboolean
collect_other (int dir_fd, const char *file, Collection *to, GError **error)
{
  const char *dir = sp_plugin_catalog_dir (to->catalog);
  g_autofree char *path = g_build_filename (dir, file, NULL);
  g_autofree char *name = g_build_filename (PLUGINS, file, NULL);
  const char *const modules[] = { path, NULL };
  g_autoptr (GHashTable) closure = NULL;

  if (g_hash_table_contains (to->content, name))
    return TRUE;
  if (!sp_plugin_check_file (dir_fd, dir, file, error))
    return FALSE;
  closure = sp_elf_closure (modules, error);
  if (closure == NULL || !bring (to, path, name, error))
    return FALSE;
  g_ptr_array_add (to->modules, g_strdup (path));
  return TRUE;
}

static gboolean
collect_others (Collection *to, GError **error)
{
  const char *dir = sp_plugin_catalog_dir (to->catalog);
  g_auto (GStrv) files = sp_plugin_files (dir, error);
  int fd = files ? sp_plugin_open_dir (dir, error) : -1;

  if (fd < 0)
    return FALSE;
  for (char **file = files; *file != NULL; file++) {
    g_autoptr (GError) why = NULL;

    if (may_be_brought (*file) && !collect_other (fd, *file, to, &why))
      g_message ("the plugin disk goes without %s: %s", *file, why->message);
  }
  (void) close (fd);
  return TRUE;
}

/* What the plugins need and the appliance does not have. */
static gboolean
collect_libraries (GPtrArray *modules, const char *tree, GError **error)
{
  g_autoptr (GHashTable) there = sp_elf_closure_of_daemon (error);
  g_autoptr (GHashTable) wanted = NULL;
  GHashTableIter iter;
  gpointer name, path;

  g_ptr_array_add (modules, NULL);
  wanted = there ? sp_elf_closure ((const char *const *) modules->pdata, error) : NULL;
  if (wanted == NULL)
    return FALSE;
  g_hash_table_iter_init (&iter, wanted);
  while (g_hash_table_iter_next (&iter, &name, &path)) {
    g_autofree char *to = g_build_filename (LIBRARIES, name, NULL);

    if (!g_hash_table_contains (there, name) && !copy_file (path, tree, to, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
make_folders (const char *tree, GError **error)
{
  static const char *const names[] = { ".", PLUGINS, LIBRARIES, FILES };

  /* Over there users of their own have to pass through. */
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = g_build_filename (tree, names[i], NULL);

    if ((i > 0 && g_mkdir (path, 0755) != 0) || g_chmod (path, 0755) != 0) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make %s: %s", path,
                   g_strerror (errno));
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
collect (const SpConfigVault *vault, Collection *to, GError **error)
{
  if (!make_folders (to->tree, error) || !collect_plugin (vault->store, to, error))
    return FALSE;
  for (guint i = 0; i < vault->n_notifiers; i++)
    if (!vault->notifiers[i]->on_host && !collect_notifier (vault->notifiers[i], to, error))
      return FALSE;
  return collect_others (to, error) && collect_libraries (to->modules, to->tree, error);
}

/* ---- writing ---------------------------------------------------------------------------------------- */

/* Compressed for speed: it is written before each start, and read by each. */
static gboolean
write_disk (const char *tree, const char *path, GError **error)
{
  const char *const argv[] = {
    "mksquashfs",  tree,          path,         "-quiet", "-no-progress", "-noappend", "-no-xattrs",
    "-no-exports", "-all-root",   "-mkfs-time", TIME,     "-all-time",    TIME,        "-comp",
    "lz4",         "-processors", "1",          NULL
  };

  return sp_tool_run (argv, "squashfs-tools", error);
}

static void
remove_tree (const char *tree)
{
  static const char *const names[] = { PLUGINS, LIBRARIES, FILES };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = g_build_filename (tree, names[i], NULL);
    g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
      g_autofree char *file = g_build_filename (path, name, NULL);

      (void) g_unlink (file);
    }
    (void) g_rmdir (path);
  }
  (void) g_rmdir (tree);
}

static gboolean
build (const SpConfigVault *vault, Collection *from, const char *path, char **ret_sha256,
       GError **error)
{
  g_autofree char *next = g_strconcat (path, ".new", NULL);
  guint64 size;

  if (!collect (vault, from, error) || !write_disk (from->tree, next, error))
    return FALSE;
  if (sp_image_hash (next, ret_sha256, &size, error) && g_chmod (next, 0600) == 0 &&
      g_rename (next, path) == 0)
    return TRUE;
  if (*ret_sha256 != NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot write %s: %s", path,
                 g_strerror (errno));
  (void) g_unlink (next);
  return FALSE;
}

gboolean
sp_plugin_disk_build (const SpConfigVault *vault, SpPluginCatalog *catalog, const char *path,
                      GHashTable **ret_content, char **ret_sha256, GError **error)
{
  /* Beside it, so that what a run that was killed has left is known, and goes. */
  g_autofree char *tree = g_strconcat (path, ".tree", NULL);
  g_autoptr (GHashTable) content = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GPtrArray) modules = g_ptr_array_new_with_free_func (g_free);
  Collection collection = { catalog, tree, content, modules };
  gboolean ok;

  remove_tree (tree);
  if (g_mkdir (tree, 0700) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make %s: %s", tree,
                 g_strerror (errno));
    return FALSE;
  }
  ok = build (vault, &collection, path, ret_sha256, error);
  remove_tree (tree);
  if (ok)
    *ret_content = g_steal_pointer (&content);
  else
    g_prefix_error (error, "cannot build the plugin disk: ");
  return ok;
}

gboolean
sp_plugin_disk_check (const char *path, const char *sha256, GError **error)
{
  g_autofree char *now = NULL;
  guint64 size;

  if (!sp_image_hash (path, &now, &size, error))
    return FALSE;
  if (g_str_equal (now, sha256))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "%s is not what this process built: stop the vault and start it again", path);
  return FALSE;
}
