/* recipe.c - recipe.h, as core/bundle/install does it */
#include "host/audit/recipe.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/problem.h"
#include "host/appliance/tool.h"
#include "sp-build.h"

#define SERVICE "service"
#define UNITS "/etc/systemd/system"
#define SCRIPTS "/etc/init.d"
#define RUNLEVEL "/etc/runlevels/default"
#define WANTED_BY "WantedBy="
#define MAX_DEPTH 8u

typedef struct {
  GHashTable *entries;
  guint part;
} Recipe;

static void
put (Recipe *recipe, SpAuditType type, guint mode, char *path, char *sha256, guint64 size,
     char *target)
{
  SpAuditEntry *entry = g_new0 (SpAuditEntry, 1);

  entry->part = recipe->part;
  entry->type = type;
  entry->mode = mode;
  entry->path = path;
  entry->sha256 = sha256;
  entry->size = size;
  entry->target = target;
  g_hash_table_replace (recipe->entries, entry->path, entry);
}

static void
put_link (Recipe *recipe, const char *folder, const char *name, const char *target_folder)
{
  put (recipe, SP_AUDIT_DIR, 0755, g_strdup (folder), NULL, 0, NULL);
  put (recipe, SP_AUDIT_LINK, 0777, g_build_filename (folder, name, NULL), NULL, 0,
       g_build_filename (target_folder, name, NULL));
}

/* As `systemctl enable` does. */
static void
put_unit (Recipe *recipe, const char *name, const char *text, gsize length)
{
  g_autofree char *sum =
      g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) text, length);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  put (recipe, SP_AUDIT_FILE, 0644, g_build_filename (UNITS, name, NULL), g_steal_pointer (&sum),
       length, NULL);
  for (char **line = lines; *line != NULL; line++)
    if (g_str_has_prefix (*line, WANTED_BY)) {
      g_autofree char *folder = g_strdup_printf (UNITS "/%s.wants", *line + strlen (WANTED_BY));

      put_link (recipe, folder, name, UNITS);
    }
}

static void
put_script (Recipe *recipe, const char *name, const char *text, gsize length)
{
  g_autofree char *bare = g_strndup (name, (gsize) (strrchr (name, '.') - name));

  put (recipe, SP_AUDIT_FILE, 0755, g_build_filename (SCRIPTS, bare, NULL),
       g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) text, length), length,
       NULL);
  put_link (recipe, RUNLEVEL, bare, SCRIPTS);
}

/* What `install` makes executable although the bundle may not say so. */
static gboolean
is_program (const char *place)
{
  return g_str_has_prefix (place, "bin/") || g_str_has_prefix (place, "lib/ld-") ||
         g_str_equal (place, "install") || g_str_equal (place, SERVICE "/run") ||
         g_str_equal (place, SERVICE "/maintenance");
}

static gboolean
put_file (Recipe *recipe, const char *path, const char *place, guint mode, GError **error)
{
  g_autofree char *text = NULL;
  g_autofree char *name = g_path_get_basename (place);
  gsize length = 0;

  if (!g_file_get_contents (path, &text, &length, error))
    return FALSE;
  put (recipe, SP_AUDIT_FILE, is_program (place) || (mode & 0111) != 0 ? 0755 : 0644,
       g_build_filename (SP_BUNDLE_DIR, place, NULL),
       g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) text, length), length,
       NULL);
  if (!g_str_has_prefix (place, SERVICE "/"))
    return TRUE;
  if (g_str_has_suffix (name, ".service"))
    put_unit (recipe, name, text, length);
  else if (g_str_has_suffix (name, ".openrc"))
    put_script (recipe, name, text, length);
  return TRUE;
}

static gboolean
put_folder (Recipe *recipe, const char *top, const char *place, guint depth, GError **error)
{
  g_autofree char *path = g_build_filename (top, place, NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, error);
  const char *name;
  gboolean ok = dir != NULL && depth < MAX_DEPTH;

  if (ok)
    put (recipe, SP_AUDIT_DIR, 0755,
         *place ? g_build_filename (SP_BUNDLE_DIR, place, NULL) : g_strdup (SP_BUNDLE_DIR), NULL, 0,
         NULL);
  while (ok && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *child = *place ? g_build_filename (place, name, NULL) : g_strdup (name);
    g_autofree char *child_path = g_build_filename (top, child, NULL);
    GStatBuf st;

    ok = g_lstat (child_path, &st) == 0 &&
         (S_ISDIR (st.st_mode) ? put_folder (recipe, top, child, depth + 1, error)
                               : put_file (recipe, child_path, child, st.st_mode, error));
  }
  if (!ok && error != NULL && *error == NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot read the bundle in %s", path);
  return ok;
}

GHashTable *
sp_audit_recipe_none (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                (GDestroyNotify) sp_audit_entry_free);
}

GHashTable *
sp_audit_recipe_of (const char *bundle, guint part, GError **error)
{
  g_autoptr (GHashTable) entries = sp_audit_recipe_none ();
  Recipe recipe = { entries, part };

  return put_folder (&recipe, bundle, "", 0, error) ? g_steal_pointer (&entries) : NULL;
}

GHashTable *
sp_audit_recipe_of_tar (const char *tar, guint part, GError **error)
{
  g_autofree char *dir = g_dir_make_tmp ("secret-proxy-bundle-XXXXXX", error);
  const char *const unpack[] = { "tar", "-x", "-f", tar, "-C", dir, NULL };
  const char *const discard[] = { "rm", "-rf", "--", dir, NULL };
  GHashTable *entries = NULL;

  if (dir == NULL)
    return NULL;
  if (sp_tool_run (unpack, "tar", error))
    entries = sp_audit_recipe_of (dir, part, error);
  (void) sp_tool_run (discard, "coreutils", NULL);
  return entries;
}
