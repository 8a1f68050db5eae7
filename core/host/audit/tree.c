/* tree.c - tree.h: the list in memory */
#include "host/audit/tree.h"

#include <string.h>

/* ---- words ------------------------------------------------------------------------------------------------ */

static gboolean
is_plain (guchar c)
{
  return c > ' ' && c < 0x7f && c != '%';
}

char *
sp_audit_escape (const char *bytes)
{
  GString *out = g_string_new (NULL);

  for (const char *p = bytes; *p != 0; p++)
    if (is_plain ((guchar) *p))
      g_string_append_c (out, *p);
    else
      g_string_append_printf (out, "%%%02x", (guint) (guchar) *p);
  return g_string_free (out, FALSE);
}

static int
hex_byte (const char *two)
{
  int high = g_ascii_xdigit_value (two[0]);
  int low = high >= 0 ? g_ascii_xdigit_value (two[1]) : -1;

  return low >= 0 ? high * 16 + low : -1;
}

char *
sp_audit_unescape (const char *word)
{
  g_autoptr (GString) out = g_string_new (NULL);

  for (const char *p = word; *p != 0; p++) {
    int byte = *p == '%' ? hex_byte (p + 1) : (guchar) *p;

    if (byte <= 0 || (*p != '%' && !is_plain ((guchar) *p)))
      return NULL;
    g_string_append_c (out, (char) byte);
    p += *p == '%' ? 2 : 0;
  }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

gboolean
sp_audit_path_is_plain (const char *path)
{
  const char *part = path;

  if (*path != '/' || strlen (path) > SP_AUDIT_MAX_PATH)
    return FALSE;
  while (part != NULL && part[1] != 0) {
    const char *next = strchr (part + 1, '/');
    gsize length = next ? (gsize) (next - part - 1) : strlen (part + 1);

    if (length == 0 || (length <= 2 && strncmp (part + 1, "..", length) == 0))
      return FALSE;
    part = next;
  }
  return path[1] == 0 || part == NULL;
}

gboolean
sp_audit_is_sha256 (const char *text)
{
  return strlen (text) == 64 && strspn (text, "0123456789abcdef") == 64;
}

/* ---- things ------------------------------------------------------------------------------------------------ */

void
sp_audit_entry_free (SpAuditEntry *entry)
{
  if (entry == NULL)
    return;
  g_free (entry->sha256);
  g_free (entry->xattrs);
  g_free (entry->path);
  g_free (entry->target);
  g_free (entry);
}

SpAuditEntry *
sp_audit_entry_copy (const SpAuditEntry *entry)
{
  SpAuditEntry *copy = g_memdup2 (entry, sizeof *entry);

  copy->sha256 = g_strdup (entry->sha256);
  copy->xattrs = g_strdup (entry->xattrs);
  copy->path = g_strdup (entry->path);
  copy->target = g_strdup (entry->target);
  return copy;
}

char *
sp_audit_entry_line (const SpAuditEntry *entry)
{
  g_autofree char *path = sp_audit_escape (entry->path);
  g_autofree char *target = entry->target ? sp_audit_escape (entry->target) : g_strdup ("-");

  return g_strdup_printf (
      "inode %u %c %04o %u %u %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %s %s %s %s", entry->part,
      (char) entry->type, entry->mode, entry->uid, entry->gid, entry->size, entry->rdev,
      entry->sha256 ? entry->sha256 : "-", entry->xattrs ? entry->xattrs : "-", path, target);
}

gboolean
sp_audit_entry_equal (const SpAuditEntry *a, const SpAuditEntry *b)
{
  g_autofree char *left = sp_audit_entry_line (a);
  g_autofree char *right = sp_audit_entry_line (b);

  return strcmp (left, right) == 0;
}

static void
part_free (gpointer data)
{
  SpAuditPart *part = data;

  g_free (part->kind);
  g_free (part->fs);
  g_free (part->sha256);
  g_free (part);
}

static void
gap_free (gpointer data)
{
  SpAuditGap *gap = data;

  g_free (gap->name);
  g_free (gap->sha256);
  g_free (gap);
}

/* ---- the tree ---------------------------------------------------------------------------------------------- */

SpAuditTree *
sp_audit_tree_new (void)
{
  SpAuditTree *tree = g_new0 (SpAuditTree, 1);

  tree->table = g_strdup ("none");
  tree->gaps = g_ptr_array_new_with_free_func (gap_free);
  tree->parts = g_ptr_array_new_with_free_func (part_free);
  tree->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_audit_entry_free);
  tree->by_path = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  tree->kept =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_bytes_unref);
  return tree;
}

void
sp_audit_tree_free (SpAuditTree *tree)
{
  if (tree == NULL)
    return;
  g_free (tree->table);
  g_ptr_array_unref (tree->gaps);
  g_ptr_array_unref (tree->parts);
  g_hash_table_unref (tree->by_path);
  g_ptr_array_unref (tree->entries);
  g_hash_table_unref (tree->kept);
  g_free (tree);
}

gboolean
sp_audit_tree_add (SpAuditTree *tree, SpAuditEntry *entry)
{
  g_autoptr (SpAuditEntry) taken = entry;
  char *key = g_strdup_printf ("%u:%s", entry->part, entry->path);

  if (tree->entries->len >= SP_AUDIT_MAX_LINES || g_hash_table_contains (tree->by_path, key)) {
    g_free (key);
    return FALSE;
  }
  g_hash_table_insert (tree->by_path, key, entry);
  g_ptr_array_add (tree->entries, g_steal_pointer (&taken));
  return TRUE;
}

void
sp_audit_tree_add_part (SpAuditTree *tree, SpAuditPart *part)
{
  g_ptr_array_add (tree->parts, part);
}

void
sp_audit_tree_add_gap (SpAuditTree *tree, const char *name, guint64 length, const char *sha256)
{
  SpAuditGap *gap = g_new0 (SpAuditGap, 1);

  gap->name = g_strdup (name);
  gap->length = length;
  gap->sha256 = g_strdup (sha256);
  g_ptr_array_add (tree->gaps, gap);
}

const SpAuditEntry *
sp_audit_tree_find (const SpAuditTree *tree, guint part, const char *path)
{
  g_autofree char *key = g_strdup_printf ("%u:%s", part, path);

  return g_hash_table_lookup (tree->by_path, key);
}

const SpAuditPart *
sp_audit_tree_part (const SpAuditTree *tree, guint number)
{
  for (guint i = 0; i < tree->parts->len; i++) {
    const SpAuditPart *part = g_ptr_array_index (tree->parts, i);

    if (part->number == number)
      return part;
  }
  return NULL;
}

guint
sp_audit_tree_root (const SpAuditTree *tree)
{
  for (guint i = 0; i < tree->parts->len; i++) {
    const SpAuditPart *part = g_ptr_array_index (tree->parts, i);

    if (sp_audit_tree_find (tree, part->number, "/etc/passwd") != NULL)
      return part->number;
  }
  return 0;
}

GBytes *
sp_audit_tree_kept (const SpAuditTree *tree, guint part, const char *path)
{
  g_autofree char *key = g_strdup_printf ("%u:%s", part, path);

  return g_hash_table_lookup (tree->kept, key);
}

void
sp_audit_tree_keep (SpAuditTree *tree, guint part, const char *path, GBytes *content)
{
  g_hash_table_insert (tree->kept, g_strdup_printf ("%u:%s", part, path), g_bytes_ref (content));
}
