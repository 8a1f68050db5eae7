/* tree-text.c - tree.h: the list as text, there and back
 *
 * A line is taken apart by a row of a table, and then written anew and compared: so there is one way only to
 * say a thing, and no second reading of it.
 */
#include "host/audit/tree.h"

#include <string.h>

#include "base/problem.h"

#define MAGIC "secret-proxy-tree 1"
#define MAX_WORDS 12u
#define MAX_PARTS 128u
#define XATTR_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:,%-"

/* ---- writing ----------------------------------------------------------------------------------------------- */

static char *
part_line (const SpAuditPart *part)
{
  return g_strdup_printf ("part %u %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %s %s %s",
                          part->number, part->start, part->size, part->kind, part->fs,
                          part->sha256);
}

static char *
gap_line (const SpAuditGap *gap)
{
  return g_strdup_printf ("gap %s %" G_GUINT64_FORMAT " %s", gap->name, gap->length, gap->sha256);
}

/* @key: "PART:/path". */
static char *
kept_line (const char *key, GBytes *content)
{
  const char *path = strchr (key, ':') + 1;
  g_autofree char *word = sp_audit_escape (path);
  g_autofree char *base64 =
      g_base64_encode (g_bytes_get_data (content, NULL), g_bytes_get_size (content));

  return g_strdup_printf ("kept %.*s %s %s", (int) (path - key - 1), key, word,
                          *base64 ? base64 : "-");
}

static void
take_line (GString *out, guint *n_lines, char *line)
{
  g_string_append (out, line);
  g_string_append_c (out, '\n');
  (*n_lines)++;
  g_free (line);
}

static void
write_kept (const SpAuditTree *tree, GString *out, guint *n_lines)
{
  g_autoptr (GList) paths = g_list_sort (g_hash_table_get_keys (tree->kept), (GCompareFunc) strcmp);

  for (GList *item = paths; item != NULL; item = item->next)
    take_line (out, n_lines, kept_line (item->data, g_hash_table_lookup (tree->kept, item->data)));
}

char *
sp_audit_tree_text (const SpAuditTree *tree)
{
  GString *out = g_string_new (MAGIC "\n");
  guint n = 0;

  take_line (out, &n, g_strdup_printf ("disk %" G_GUINT64_FORMAT, tree->size));
  take_line (out, &n, g_strdup_printf ("table %s", tree->table));
  for (guint i = 0; i < tree->gaps->len; i++)
    take_line (out, &n, gap_line (g_ptr_array_index (tree->gaps, i)));
  for (guint i = 0; i < tree->parts->len; i++)
    take_line (out, &n, part_line (g_ptr_array_index (tree->parts, i)));
  for (guint i = 0; i < tree->entries->len; i++)
    take_line (out, &n, sp_audit_entry_line (g_ptr_array_index (tree->entries, i)));
  write_kept (tree, out, &n);
  g_string_append_printf (out, "end %u\n", n);
  return g_string_free (out, FALSE);
}

/* ---- one word ---------------------------------------------------------------------------------------------- */

static gboolean
number (const char *word, guint base, guint64 most, guint64 *ret_value)
{
  return g_ascii_string_to_unsigned (word, base, 0, most, ret_value, NULL);
}

static gboolean
number32 (const char *word, guint base, guint64 most, guint *ret_value)
{
  guint64 value = 0;
  gboolean ok = number (word, base, most, &value);

  *ret_value = (guint) value;
  return ok;
}

static gboolean
is_word (const char *word, const char *letters, gsize most)
{
  gsize length = strspn (word, letters);

  return length > 0 && length <= most && word[length] == 0;
}

/* NULL for "-". */
static char *
optional (const char *word)
{
  return g_str_equal (word, "-") ? NULL : g_strdup (word);
}

/* ---- one line ---------------------------------------------------------------------------------------------- */

static gboolean
take_disk (SpAuditTree *tree, char **words, const char *line)
{
  return number (words[0], 10, G_MAXINT64, &tree->size);
}

static gboolean
take_table (SpAuditTree *tree, char **words, const char *line)
{
  const char *const kinds[] = { "mbr", "gpt", "none", NULL };

  g_free (tree->table);
  tree->table = g_strdup (words[0]);
  return g_strv_contains (kinds, words[0]);
}

static gboolean
take_gap (SpAuditTree *tree, char **words, const char *line)
{
  guint64 length = 0;

  if (tree->gaps->len > MAX_PARTS + 2 || !number (words[1], 10, G_MAXINT64, &length) ||
      !is_word (words[0], "abcdefghijklmnopqrstuvwxyz0123456789-", 32) ||
      !sp_audit_is_sha256 (words[2]))
    return FALSE;
  sp_audit_tree_add_gap (tree, words[0], length, words[2]);
  return TRUE;
}

static gboolean
take_part (SpAuditTree *tree, char **words, const char *line)
{
  const char *const systems[] = { "ext", "vfat", "raw", NULL };
  SpAuditPart *part = g_new0 (SpAuditPart, 1);

  part->kind = g_strdup (words[3]);
  part->fs = g_strdup (words[4]);
  part->sha256 = g_strdup (words[5]);
  sp_audit_tree_add_part (tree, part);
  return tree->parts->len <= MAX_PARTS && number32 (words[0], 10, MAX_PARTS, &part->number) &&
         part->number > 0 && number (words[1], 10, G_MAXINT64, &part->start) &&
         number (words[2], 10, G_MAXINT64, &part->size) &&
         is_word (words[3], "0123456789abcdef-", 100) && g_strv_contains (systems, words[4]) &&
         sp_audit_is_sha256 (words[5]);
}

/* What its type allows. */
static gboolean
is_consistent (const SpAuditEntry *entry)
{
  gboolean is_file = entry->type == SP_AUDIT_FILE;
  gboolean is_device = entry->type == SP_AUDIT_CHAR || entry->type == SP_AUDIT_BLOCK;

  return strchr ("fdlcbps", (int) entry->type) != NULL && is_file == (entry->sha256 != NULL) &&
         (entry->sha256 == NULL || sp_audit_is_sha256 (entry->sha256)) &&
         (entry->type == SP_AUDIT_LINK) == (entry->target != NULL) &&
         (is_file || entry->size == 0) && (is_device || entry->rdev == 0) &&
         (entry->xattrs == NULL || is_word (entry->xattrs, XATTR_LETTERS, 16384));
}

static gboolean
take_inode (SpAuditTree *tree, char **words, const char *line)
{
  g_autoptr (SpAuditEntry) entry = g_new0 (SpAuditEntry, 1);
  g_autofree char *again = NULL;

  entry->type = (SpAuditType) words[1][0];
  entry->sha256 = optional (words[7]);
  entry->xattrs = optional (words[8]);
  entry->path = sp_audit_unescape (words[9]);
  entry->target = g_str_equal (words[10], "-") && entry->type != SP_AUDIT_LINK
                      ? NULL
                      : sp_audit_unescape (words[10]);
  if (entry->path == NULL || !sp_audit_path_is_plain (entry->path) || words[1][0] == 0 ||
      !number32 (words[0], 10, MAX_PARTS, &entry->part) ||
      !number32 (words[2], 8, 07777, &entry->mode) ||
      !number32 (words[3], 10, G_MAXUINT32, &entry->uid) ||
      !number32 (words[4], 10, G_MAXUINT32, &entry->gid) ||
      !number (words[5], 10, G_MAXINT64, &entry->size) ||
      !number (words[6], 10, G_MAXUINT64, &entry->rdev) || !is_consistent (entry))
    return FALSE;
  again = sp_audit_entry_line (entry);
  return strcmp (again, line) == 0 && sp_audit_tree_add (tree, g_steal_pointer (&entry));
}

static gboolean
take_kept (SpAuditTree *tree, char **words, const char *line)
{
  gboolean empty = g_str_equal (words[2], "-");
  g_autofree char *path = sp_audit_unescape (words[1]);
  gsize length = 0;
  g_autofree guchar *data = empty || strlen (words[2]) > SP_AUDIT_MAX_KEPT * 2
                                ? NULL
                                : g_base64_decode (words[2], &length);
  g_autoptr (GBytes) content = g_bytes_new (data, length);
  guint part = 0;

  if (path == NULL || !sp_audit_path_is_plain (path) || (data == NULL && !empty) ||
      length > SP_AUDIT_MAX_KEPT || !number32 (words[0], 10, MAX_PARTS, &part) ||
      sp_audit_tree_kept (tree, part, path) != NULL)
    return FALSE;
  sp_audit_tree_keep (tree, part, path, content);
  return TRUE;
}

static const struct {
  const char *word;
  guint n_words;
  gboolean (*take) (SpAuditTree *tree, char **words, const char *line);
} rows[] = {
  { "disk", 1, take_disk }, { "table", 1, take_table },  { "gap", 3, take_gap },
  { "part", 6, take_part }, { "inode", 11, take_inode }, { "kept", 3, take_kept },
};

static gboolean
take (SpAuditTree *tree, const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", MAX_WORDS + 1);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    if (g_str_equal (words[0], rows[i].word))
      return g_strv_length (words) == rows[i].n_words + 1 && rows[i].take (tree, words + 1, line);
  return FALSE;
}

/* ---- all of it --------------------------------------------------------------------------------------------- */

static SpAuditTree *
fail (guint line, const char *what, GError **error)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the list of a disk is refused: line %u %s",
               line, what);
  return NULL;
}

/* The lines add up, and are in the one order that we write. */
static gboolean
is_whole (const SpAuditTree *tree, const char *text, gsize length)
{
  g_autofree char *again = sp_audit_tree_text (tree);

  return strlen (again) == length && memcmp (again, text, length) == 0;
}

SpAuditTree *
sp_audit_tree_parse (const char *text, gsize length, GError **error)
{
  g_autoptr (SpAuditTree) tree = sp_audit_tree_new ();
  const char *end = text + length;
  guint n = 0;

  if (length > SP_AUDIT_MAX_TREE)
    return fail (0, "is too much", error);
  for (const char *p = text, *stop; p < end; p = stop + 1, n++) {
    g_autofree char *line = NULL;

    stop = memchr (p, '\n', (gsize) (end - p));
    if (stop == NULL || memchr (p, 0, (gsize) (stop - p)) != NULL)
      return fail (n, "has no end, or a NUL", error);
    line = g_strndup (p, (gsize) (stop - p));
    if (n == 0 ? !g_str_equal (line, MAGIC)
               : !(stop + 1 == end && g_str_has_prefix (line, "end ")) && !take (tree, line))
      return fail (n, "can't be understood", error);
  }
  if (!is_whole (tree, text, length))
    return fail (n, "is missing, or there are others", error);
  return g_steal_pointer (&tree);
}
