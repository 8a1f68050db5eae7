/* find.c - find.h: names of files, and the checks of owner and mode
 *
 * What must stay true: a folder is judged on an open descriptor, and everything in it is then reached
 * through that descriptor, so that nobody can put another folder in its place in between.
 */
#include "plugin/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/option.h"
#include "base/problem.h"
#include "sp-build.h"

#define fail(error, ...) g_set_error ((error), SP_PROBLEM, SP_PROBLEM_CONFIG, __VA_ARGS__)

static const struct {
  SpKind kind;
  const char *word;
} kinds[] = { { SP_KIND_NOTIFIER, "notify" }, { SP_KIND_STORE, "store" }, { SP_KIND_VM, "vm" } };

const char *
sp_kind_word (SpKind kind)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (kinds[i].kind == kind)
      return kinds[i].word;
  return NULL;
}

gboolean
sp_kind_from_word (const char *word, SpKind *ret_kind)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (kinds[i].word, word) == 0) {
      *ret_kind = kinds[i].kind;
      return TRUE;
    }
  return FALSE;
}

gboolean
sp_plugin_is_name (const char *name)
{
  gsize length = strlen (name);

  return length > 0 && length <= 32 && g_ascii_islower (name[0]) &&
         strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

gboolean
sp_plugin_split (const char *file, char **ret_kind_word, char **ret_name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++) {
    gsize length = strlen (kinds[i].word);
    g_autofree char *name = NULL;

    if (strncmp (file, kinds[i].word, length) != 0 || file[length] != '-' ||
        !g_str_has_suffix (file, ".so") || strlen (file) < length + 4)
      continue;
    name = g_strndup (file + length + 1, strlen (file) - length - 4);
    if (!sp_plugin_is_name (name))
      return FALSE;
    *ret_kind_word = g_strdup (kinds[i].word);
    *ret_name = g_steal_pointer (&name);
    return TRUE;
  }
  return FALSE;
}

/* ---- folders and files ------------------------------------------------------------------------------ */

static gboolean
check_owner (const struct stat *st, const char *what, const char *path, GError **error)
{
  if (st->st_uid != 0 && st->st_uid != geteuid ()) {
    fail (error, "the %s %s belongs to user %u: it must belong to root or to user %u", what, path,
          st->st_uid, geteuid ());
    return FALSE;
  }
  if ((st->st_mode & 022) != 0) {
    fail (error,
          "the %s %s has mode %04o, so that others could put their code there: run chmod go-w %s",
          what, path, (guint) st->st_mode & 07777, path);
    return FALSE;
  }
  return TRUE;
}

int
sp_plugin_open_dir (const char *dir, GError **error)
{
  int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat st;

  if (fd < 0) {
    fail (error, "cannot open the plugin folder %s: %s", dir, g_strerror (errno));
    return -1;
  }
  if (fstat (fd, &st) == 0 && check_owner (&st, "plugin folder", dir, error))
    return fd;
  (void) close (fd);
  return -1;
}

gboolean
sp_plugin_check_file (int dir_fd, const char *dir, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  struct stat st;

  if (fstatat (dir_fd, name, &st, 0) != 0) {
    fail (error, "cannot open the plugin %s: %s", path, g_strerror (errno));
    return FALSE;
  }
  if (!S_ISREG (st.st_mode)) {
    fail (error, "the plugin %s is no regular file", path);
    return FALSE;
  }
  return check_owner (&st, "plugin", path, error);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Takes @fd. */
static char **
files_of_fd (int fd)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new ();
  DIR *stream = fdopendir (fd);
  struct dirent *entry;

  if (stream == NULL)
    (void) close (fd);
  while (stream != NULL && (entry = readdir (stream)) != NULL) {
    g_autofree char *kind = NULL;
    g_autofree char *name = NULL;

    if (sp_plugin_split (entry->d_name, &kind, &name))
      g_ptr_array_add (files, g_strdup (entry->d_name));
  }
  if (stream != NULL)
    (void) closedir (stream);
  g_ptr_array_sort (files, compare_names);
  g_ptr_array_add (files, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&files), FALSE);
}

char **
sp_plugin_files (const char *dir, GError **error)
{
  int fd = sp_plugin_open_dir (dir, error);

  return fd >= 0 ? files_of_fd (fd) : NULL;
}

/* ---- where to look ---------------------------------------------------------------------------------- */

static gboolean
holds_plugins (const char *dir)
{
  int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_auto (GStrv) files = fd >= 0 ? files_of_fd (fd) : NULL;

  return files != NULL && files[0] != NULL;
}

char *
sp_plugin_default_dir (void)
{
  const char *chosen = secure_getenv ("SECRET_PROXY_PLUGIN_DIR");
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = program != NULL ? g_path_get_dirname (program) : NULL;
  g_autofree char *built = NULL;

  if (chosen != NULL && *chosen != '\0')
    return g_canonicalize_filename (chosen, NULL);
  if (folder != NULL) {
    built = g_canonicalize_filename ("../plugins", folder);
    if (holds_plugins (built))
      return g_steal_pointer (&built);
  }
  return g_strdup (SP_PLUGIN_DIR);
}

/* ---- one plugin ------------------------------------------------------------------------------------- */

static char *
did_you_mean (const char *dir, const char *kind_word, const char *name)
{
  g_auto (GStrv) files = sp_plugin_files (dir, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  for (gsize i = 0; files != NULL && files[i] != NULL; i++) {
    g_autofree char *kind = NULL;
    char *other = NULL;

    if (!sp_plugin_split (files[i], &kind, &other))
      continue;
    if (strcmp (kind, kind_word) == 0)
      g_ptr_array_add (names, other);
    else
      g_free (other);
  }
  g_ptr_array_add (names, NULL);
  return sp_did_you_mean (name, (const char *const *) names->pdata);
}

static char *
find_name (const char *dir, const char *kind_word, const char *name, GError **error)
{
  g_autofree char *file = g_strdup_printf ("%s-%s.so", kind_word, name);
  g_autofree char *hint = NULL;
  struct stat st;
  int fd;
  gboolean ok;

  if (!sp_plugin_is_name (name)) {
    fail (error, "'%s' is no name of a plugin: lower case letters, digits and dashes, at most 32",
          name);
    return NULL;
  }
  fd = sp_plugin_open_dir (dir, error);
  if (fd < 0)
    return NULL;
  if (fstatat (fd, file, &st, 0) != 0 && errno == ENOENT) {
    hint = did_you_mean (dir, kind_word, name);
    fail (error, "there is no %s plugin '%s' in %s%s", kind_word, name, dir, hint);
    ok = FALSE;
  } else {
    ok = sp_plugin_check_file (fd, dir, file, error);
  }
  (void) close (fd);
  return ok ? g_build_filename (dir, file, NULL) : NULL;
}

static char *
find_path (const char *kind_word, const char *name, GError **error)
{
  g_autofree char *path = g_canonicalize_filename (name, NULL);
  g_autofree char *dir = g_path_get_dirname (path);
  g_autofree char *file = g_path_get_basename (path);
  g_autofree char *kind = NULL;
  g_autofree char *plain = NULL;
  int fd;
  gboolean ok;

  if (!sp_plugin_split (file, &kind, &plain) || strcmp (kind, kind_word) != 0) {
    fail (error, "the file of a %s plugin is named %s-NAME.so, and %s is not", kind_word, kind_word,
          path);
    return NULL;
  }
  fd = sp_plugin_open_dir (dir, error);
  if (fd < 0)
    return NULL;
  ok = sp_plugin_check_file (fd, dir, file, error);
  (void) close (fd);
  return ok ? g_steal_pointer (&path) : NULL;
}

char *
sp_plugin_find (const char *dir, const char *kind_word, const char *name, GError **error)
{
  return strchr (name, '/') != NULL ? find_path (kind_word, name, error)
                                    : find_name (dir, kind_word, name, error);
}
