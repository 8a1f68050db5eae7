/* walk.c - session.h: every inode of what is mounted, in few calls
 *
 * Names come as a file with NULs between them, states, attributes and targets for a folder at a time, digests in
 * one call for all: each call costs a round trip to the machine, and an emulated one is slow.
 *
 * What must stay true: each name gets all of its parts, or the walk fails; nothing is followed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/audit/session.h"

#define NAMES SP_AUDIT_ROOM "/names"
#define SUMS SP_AUDIT_ROOM "/sums"
#define MAX_BYTES (G_GUINT64_CONSTANT (32) << 30) /* of all files together */

typedef struct {
  SpAuditSession *session;
  SpAuditTree *tree;
  guint part;
  const char *folder; /* of the names at hand */
  guint64 bytes;      /* of the files so far */
} Walk;

static gboolean
fail (const char *what, GError **error)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the file system is refused: %s", what);
  return FALSE;
}

/* ---- states ------------------------------------------------------------------------------------------------- */

static SpAuditType
type_of (gint64 mode)
{
  static const struct {
    mode_t mode;
    SpAuditType type;
  } types[] = {
    { S_IFREG, SP_AUDIT_FILE }, { S_IFDIR, SP_AUDIT_DIR },   { S_IFLNK, SP_AUDIT_LINK },
    { S_IFCHR, SP_AUDIT_CHAR }, { S_IFBLK, SP_AUDIT_BLOCK }, { S_IFIFO, SP_AUDIT_FIFO }
  };

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    if (((mode_t) mode & S_IFMT) == types[i].mode)
      return types[i].type;
  return SP_AUDIT_SOCKET;
}

static char *
path_of (const Walk *walk, const char *name)
{
  return g_strconcat (walk->folder, walk->folder[1] != 0 ? "/" : "", name, NULL);
}

static SpAuditEntry *
entry_of (Walk *walk, const char *name, const struct guestfs_statns *state)
{
  SpAuditEntry *entry = g_new0 (SpAuditEntry, 1);

  entry->part = walk->part;
  entry->path = path_of (walk, name);
  entry->type = type_of (state->st_mode);
  entry->mode = (guint) state->st_mode & 07777;
  entry->uid = (guint) state->st_uid;
  entry->gid = (guint) state->st_gid;
  if (entry->type == SP_AUDIT_FILE)
    entry->size = (guint64) state->st_size;
  if (entry->type == SP_AUDIT_CHAR || entry->type == SP_AUDIT_BLOCK)
    entry->rdev = (guint64) state->st_rdev;
  walk->bytes += entry->size;
  return entry;
}

static gboolean
take_states (Walk *walk, char **names, GError **error)
{
  struct guestfs_statns_list *states = guestfs_lstatnslist (walk->session, walk->folder, names);
  guint n = g_strv_length (names);
  gboolean ok = states != NULL && states->len == n;

  for (guint i = 0; ok && i < n; i++) {
    SpAuditEntry *entry = entry_of (walk, names[i], &states->val[i]);

    ok = states->val[i].st_ino >= 0 && sp_audit_path_is_plain (entry->path) &&
         walk->bytes <= MAX_BYTES;
    ok = sp_audit_tree_add (walk->tree, entry) && ok;
  }
  if (states == NULL)
    return sp_audit_session_fail (walk->session, "states can't be read", error);
  guestfs_free_statns_list (states);
  return ok || fail ("it has too many files, too much in them, or names that can't be", error);
}

static SpAuditEntry *
find (Walk *walk, const char *name)
{
  g_autofree char *path = path_of (walk, name);

  return (SpAuditEntry *) sp_audit_tree_find (walk->tree, walk->part, path);
}

/* ---- attributes ---------------------------------------------------------------------------------------------- */

static gint
by_text (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

static char *
attribute (const struct guestfs_xattr *attr)
{
  g_autofree char *name = sp_audit_escape (attr->attrname);
  g_autofree char *sum = g_compute_checksum_for_data (
      G_CHECKSUM_SHA256, (const guchar *) attr->attrval, attr->attrval_len);

  /* Separators of ours; no system has them in names. */
  g_strdelimit (name, ",:", '_');
  return g_strdup_printf ("%s:%.32s", name, sum);
}

static char *
attributes (const struct guestfs_xattr *first, guint n)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (words, attribute (&first[i]));
  g_ptr_array_sort (words, by_text);
  g_ptr_array_add (words, NULL);
  return n > 0 ? g_strjoinv (",", (char **) words->pdata) : NULL;
}

/* For each name one without a name, whose value is the number of those that follow. */
static gboolean
take_attributes (Walk *walk, char **names, GError **error)
{
  struct guestfs_xattr_list *list = guestfs_lxattrlist (walk->session, walk->folder, names);
  guint at = 0, n = 0;
  gboolean ok = list != NULL;

  for (char **name = names; ok && *name != NULL; name++) {
    ok = at < list->len && *list->val[at].attrname == 0;
    if (ok) {
      g_autofree char *count = g_strndup (list->val[at].attrval, list->val[at].attrval_len);

      n = *count != 0 ? (guint) g_ascii_strtoull (count, NULL, 10) : G_MAXUINT;
      ok = n <= list->len - ++at && find (walk, *name) != NULL;
    }
    if (ok)
      find (walk, *name)->xattrs = attributes (list->val + at, n);
    at += n;
  }
  if (list != NULL)
    guestfs_free_xattr_list (list);
  return ok || fail ("extended attributes can't be read", error);
}

/* ---- targets -------------------------------------------------------------------------------------------------- */

static gboolean
take_targets (Walk *walk, char **names, GError **error)
{
  g_autoptr (GPtrArray) links = g_ptr_array_new ();
  g_auto (GStrv) targets = NULL;

  for (char **name = names; *name != NULL; name++)
    if (find (walk, *name)->type == SP_AUDIT_LINK)
      g_ptr_array_add (links, *name);
  g_ptr_array_add (links, NULL);
  if (links->len == 1)
    return TRUE;
  targets = guestfs_readlinklist (walk->session, walk->folder, (char **) links->pdata);
  if (targets == NULL || g_strv_length (targets) != links->len - 1)
    return fail ("links can't be read", error);
  for (guint i = 0; i + 1 < links->len; i++)
    find (walk, g_ptr_array_index (links, i))->target = g_strdup (targets[i]);
  return TRUE;
}

/* ---- digests -------------------------------------------------------------------------------------------------- */

/* As sha256sum writes a name: where there is a backslash in front of the digest, \n and \\ stand in it. */
static char *
name_of (const char *text, gboolean escaped)
{
  GString *out = g_string_new (NULL);

  for (const char *p = text; *p != 0; p++)
    if (escaped && *p == '\\' && p[1] != 0)
      g_string_append_c (out, *++p == 'n' ? '\n' : *p == 'r' ? '\r' : *p);
    else
      g_string_append_c (out, *p);
  return g_string_free (out, FALSE);
}

static gboolean
take_sum (Walk *walk, const char *line)
{
  gboolean escaped = *line == '\\';
  const char *sum = line + (escaped ? 1 : 0);
  g_autofree char *name = NULL;
  SpAuditEntry *entry;

  if (strlen (sum) < 69 || strncmp (sum + 64, "  ./", 4) != 0)
    return FALSE;
  name = name_of (sum + 68, escaped);
  entry = find (walk, name);
  if (entry == NULL || entry->type != SP_AUDIT_FILE || entry->sha256 != NULL)
    return FALSE;
  entry->sha256 = g_strndup (sum, 64);
  return sp_audit_is_sha256 (entry->sha256);
}

static gboolean
take_sums (Walk *walk, GError **error)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (guestfs_checksums_out (walk->session, "sha256", "/", SUMS) != 0)
    return sp_audit_session_fail (walk->session, "digests can't be made", error);
  if (!g_file_get_contents (SUMS, &text, NULL, error))
    return FALSE;
  (void) unlink (SUMS);
  walk->folder = "/";
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    if (**line != 0 && !take_sum (walk, *line))
      return fail ("digests of its files can't be read", error);
  for (guint i = 0; i < walk->tree->entries->len; i++) {
    const SpAuditEntry *entry = g_ptr_array_index (walk->tree->entries, i);

    if (entry->part == walk->part && entry->type == SP_AUDIT_FILE && entry->sha256 == NULL)
      return fail ("a file has no digest", error);
  }
  return TRUE;
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static gboolean
take_folder (Walk *walk, const char *folder, GPtrArray *names, GError **error)
{
  char **all;

  g_ptr_array_add (names, NULL);
  all = (char **) names->pdata;
  walk->folder = folder;
  return take_states (walk, all, error) && take_attributes (walk, all, error) &&
         take_targets (walk, all, error);
}

/* The root has no name in any folder. */
static gboolean
take_root (Walk *walk, GError **error)
{
  struct guestfs_statns *state = guestfs_lstatns (walk->session, "/");
  struct guestfs_xattr_list *list = state ? guestfs_lgetxattrs (walk->session, "/") : NULL;
  SpAuditEntry *entry;

  walk->folder = "/";
  if (list == NULL)
    return sp_audit_session_fail (walk->session, "its root can't be read", error);
  entry = entry_of (walk, "", state);
  entry->xattrs = attributes (list->val, list->len);
  guestfs_free_statns (state);
  guestfs_free_xattr_list (list);
  return sp_audit_tree_add (walk->tree, entry);
}

/* Folder -> names in it. */
static GHashTable *
by_folder (char *data, gsize length)
{
  GHashTable *folders =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_ptr_array_unref);
  gsize size;

  for (char *p = data; p < data + length; p += size) {
    char *slash = strrchr (p, '/');
    g_autofree char *folder = g_strdup_printf ("/%.*s", slash ? (int) (slash - p) : 0, p);
    GPtrArray *names = g_hash_table_lookup (folders, folder);

    size = strlen (p) + 1;
    if (size == 1)
      continue;
    if (names == NULL) {
      names = g_ptr_array_new ();
      g_hash_table_insert (folders, g_steal_pointer (&folder), names);
    }
    g_ptr_array_add (names, slash ? slash + 1 : p);
  }
  return folders;
}

static gboolean
take_names (Walk *walk, char *data, gsize length, GError **error)
{
  g_autoptr (GHashTable) folders = by_folder (data, length);
  g_autoptr (GList) sorted = g_list_sort (g_hash_table_get_keys (folders), (GCompareFunc) strcmp);

  for (GList *item = sorted; item != NULL; item = item->next)
    if (!take_folder (walk, item->data, g_hash_table_lookup (folders, item->data), error))
      return FALSE;
  return TRUE;
}

gboolean
sp_audit_walk (SpAuditSession *session, SpAuditTree *tree, guint part, GError **error)
{
  Walk walk = { session, tree, part, "/", 0 };
  g_autofree char *names = NULL;
  gsize length = 0;

  if (guestfs_find0 (session, "/", NAMES) != 0)
    return sp_audit_session_fail (session, "its names can't be listed", error);
  if (!g_file_get_contents (NAMES, &names, &length, error))
    return FALSE;
  (void) unlink (NAMES);
  return take_root (&walk, error) && take_names (&walk, names, length, error) &&
         take_sums (&walk, error);
}
