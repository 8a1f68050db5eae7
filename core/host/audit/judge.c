/* judge.c - judge.h
 *
 * What must stay true: the way out of each question is a finding, unless something says exactly why not.
 */
#include "host/audit/judge.h"

#include <string.h>

#include "base/problem.h"
#include "host/audit/rules.h"

#define MAGIC "secret-proxy-finding 1\n"
#define MAX_FINDINGS 5000u

typedef struct {
  const SpAuditTree *tree, *base;
  GHashTable *recipe;
  const char *const *accept;
  guint root;
  GPtrArray *findings;
} Judge;

void
sp_audit_finding_free (SpAuditFinding *finding)
{
  if (finding == NULL)
    return;
  g_free (finding->path);
  g_free (finding->message);
  g_free (finding->digest);
  g_free (finding);
}

/* @detail: all that the finding is about; @message is taken. */
static void
add (Judge *judge, const char *code, const char *path, const char *detail, char *message)
{
  g_autofree char *text = g_strdup_printf (MAGIC "%s %s\n%s\n", code, path, detail);
  g_autoptr (SpAuditFinding) finding = g_new0 (SpAuditFinding, 1);

  finding->code = code;
  finding->path = g_strdup (path);
  finding->message = message;
  finding->digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
  if (judge->accept == NULL || !g_strv_contains (judge->accept, finding->digest))
    g_ptr_array_add (judge->findings, g_steal_pointer (&finding));
}

/* ---- what an inode is, against what it was ------------------------------------------------------------------ */

static gboolean
has_capability (const SpAuditEntry *entry)
{
  return entry->xattrs != NULL && strstr (entry->xattrs, "security.capability:") != NULL;
}

static gboolean
is_new_capability (const SpAuditEntry *now, const SpAuditEntry *was)
{
  return has_capability (now) && (was == NULL || g_strcmp0 (now->xattrs, was->xattrs) != 0);
}

static gboolean
is_new_setuid (const SpAuditEntry *now, const SpAuditEntry *was)
{
  return now->type == SP_AUDIT_FILE && (now->mode & 06000) != 0 &&
         (was == NULL || (was->mode & 06000) != (now->mode & 06000));
}

static gboolean
is_other_type (const SpAuditEntry *now, const SpAuditEntry *was)
{
  return was != NULL && was->type != now->type;
}

static gboolean
is_other_content (const SpAuditEntry *now, const SpAuditEntry *was)
{
  return was != NULL &&
         (now->size != was->size || now->rdev != was->rdev ||
          g_strcmp0 (now->sha256, was->sha256) != 0 || g_strcmp0 (now->target, was->target) != 0);
}

static gboolean
is_other_mode (const SpAuditEntry *now, const SpAuditEntry *was)
{
  return was != NULL && now->mode != was->mode;
}

static gboolean
is_other_owner (const SpAuditEntry *now, const SpAuditEntry *was)
{
  return was != NULL && (now->uid != was->uid || now->gid != was->gid);
}

static gboolean
are_other_attributes (const SpAuditEntry *now, const SpAuditEntry *was)
{
  return was != NULL && g_strcmp0 (now->xattrs, was->xattrs) != 0;
}

static gboolean
is_added_device (const SpAuditEntry *now, const SpAuditEntry *was)
{
  return was == NULL && (now->type == SP_AUDIT_CHAR || now->type == SP_AUDIT_BLOCK);
}

static gboolean
is_added_pipe (const SpAuditEntry *now, const SpAuditEntry *was)
{
  return was == NULL && (now->type == SP_AUDIT_FIFO || now->type == SP_AUDIT_SOCKET);
}

static gboolean
is_added_link (const SpAuditEntry *now, const SpAuditEntry *was)
{
  return was == NULL && now->type == SP_AUDIT_LINK;
}

static gboolean
is_added_folder (const SpAuditEntry *now, const SpAuditEntry *was)
{
  return was == NULL && now->type == SP_AUDIT_DIR;
}

static gboolean
is_added_file (const SpAuditEntry *now, const SpAuditEntry *was)
{
  return was == NULL && now->type == SP_AUDIT_FILE;
}

/* The gravest first: it gives the finding its code; the message has all. */
static const struct {
  const char *code;
  const char *message;
  gboolean (*is) (const SpAuditEntry *now, const SpAuditEntry *was);
} differences[] = {
  { "type-changed", "it is something else than in the base", is_other_type },
  { "setuid", "it runs with the rights of its owner or group", is_new_setuid },
  { "capability", "it has capabilities", is_new_capability },
  { "device-added", "a device", is_added_device },
  { "pipe-added", "a pipe or socket", is_added_pipe },
  { "link-added", "a link that the base has not", is_added_link },
  { "folder-added", "a folder that the base has not", is_added_folder },
  { "file-added", "a file that the base has not", is_added_file },
  { "content-changed", "its content is not the base's", is_other_content },
  { "owner-changed", "it has another owner", is_other_owner },
  { "mode-changed", "it has another mode", is_other_mode },
  { "attributes-changed", "it has other extended attributes", are_other_attributes },
};

static void
add_entry (Judge *judge, const SpAuditEntry *now, const SpAuditEntry *was)
{
  g_autofree char *path = sp_audit_escape (now->path);
  g_autofree char *line = sp_audit_entry_line (now);
  g_autoptr (GString) message = g_string_new (NULL);
  const char *code = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (differences); i++)
    if (differences[i].is (now, was)) {
      code = code ? code : differences[i].code;
      g_string_append_printf (message, "%s%s", message->len > 0 ? "; " : "",
                              differences[i].message);
    }
  if (now->target != NULL) {
    g_autofree char *target = sp_audit_escape (now->target);

    g_string_append_printf (message, "; it leads to %s", target);
  }
  add (judge, code ? code : "content-changed", path, line,
       g_string_free (g_steal_pointer (&message), FALSE));
}

/* ---- files that are made anew: lines ------------------------------------------------------------------------- */

static char **
lines_of (const SpAuditTree *tree, guint part, const char *path)
{
  GBytes *content = sp_audit_tree_kept (tree, part, path);
  g_autofree char *text =
      content ? g_strndup (g_bytes_get_data (content, NULL), g_bytes_get_size (content)) : NULL;

  /* A NUL would hide what follows. */
  if (text != NULL && strlen (text) != g_bytes_get_size (content))
    return NULL;
  return g_strsplit (text ? text : "", "\n", -1);
}

static void
judge_lines (Judge *judge, const SpAuditRule *rule, const SpAuditEntry *now, char **lines)
{
  g_auto (GStrv) before = lines_of (judge->base, now->part, now->path);
  g_autofree char *path = sp_audit_escape (now->path);
  g_autofree char *form = rule->form ? g_strdup_printf ("\\A(?:%s)\\z", rule->form) : NULL;

  for (char **line = lines; *line != NULL; line++) {
    g_autofree char *shown = NULL;

    if (**line == 0 || (before != NULL && g_strv_contains ((const char *const *) before, *line)) ||
        (form != NULL &&
         g_regex_match_simple (form, *line, G_REGEX_RAW | G_REGEX_DOLLAR_ENDONLY, 0)))
      continue;
    shown = sp_audit_escape (*line);
    add (judge, "line-added", path, shown, g_strdup_printf ("it has the line %.200s", shown));
  }
}

/* ---- rules ------------------------------------------------------------------------------------------------------ */

/* Only what can be removed or made anew without a trap. */
static gboolean
is_usual (const SpAuditRule *rule, const SpAuditEntry *now)
{
  return now->type == SP_AUDIT_FILE ||
         (now->type == SP_AUDIT_DIR && rule->kind == SP_AUDIT_CLEARED) ||
         (now->type == SP_AUDIT_LINK && rule->links);
}

static gboolean
is_anew (Judge *judge, const SpAuditRule *rule, const SpAuditEntry *now, const SpAuditEntry *was)
{
  g_auto (GStrv) lines = NULL;

  if (was != NULL && was->type == SP_AUDIT_DIR)
    return now->type == SP_AUDIT_DIR && now->xattrs == NULL;
  if (now->type != SP_AUDIT_FILE || now->xattrs != NULL ||
      sp_audit_tree_kept (judge->tree, now->part, now->path) == NULL)
    return FALSE;
  lines = lines_of (judge->tree, now->part, now->path);
  if (lines != NULL)
    judge_lines (judge, rule, now, lines);
  return lines != NULL;
}

/* Whether it does not matter. */
static gboolean
is_excused (Judge *judge, const SpAuditEntry *now, const SpAuditEntry *was)
{
  const SpAuditRule *rule = now->part == judge->root ? sp_audit_rule_for (now->path) : NULL;

  if (rule == NULL)
    return FALSE;
  if (rule->kind == SP_AUDIT_ANEW)
    return is_anew (judge, rule, now, was);
  /* A folder that stays must be as it was, but for what a plan gives back to it. */
  if (was != NULL && was->type == SP_AUDIT_DIR)
    return now->type == SP_AUDIT_DIR && g_strcmp0 (now->xattrs, was->xattrs) == 0;
  return is_usual (rule, now);
}

static void
judge_entry (Judge *judge, const SpAuditEntry *now)
{
  const SpAuditEntry *was = sp_audit_tree_find (judge->base, now->part, now->path);
  const SpAuditEntry *meant =
      now->part == judge->root ? g_hash_table_lookup (judge->recipe, now->path) : NULL;

  if ((was != NULL && sp_audit_entry_equal (now, was)) ||
      (meant != NULL && sp_audit_entry_equal (now, meant)) || is_excused (judge, now, was))
    return;
  add_entry (judge, now, meant ? meant : was);
}

static void
judge_missing (Judge *judge, const SpAuditEntry *was)
{
  g_autofree char *path = NULL;

  if (sp_audit_tree_find (judge->tree, was->part, was->path) != NULL ||
      (was->part == judge->root && sp_audit_rule_for (was->path) != NULL))
    return;
  path = sp_audit_escape (was->path);
  add (judge, "missing", path, "", g_strdup ("the base has it, and it is gone"));
}

/* ---- the disk itself ---------------------------------------------------------------------------------------------- */

static void
judge_gap (Judge *judge, const SpAuditGap *gap)
{
  for (guint i = 0; i < judge->base->gaps->len; i++) {
    const SpAuditGap *was = g_ptr_array_index (judge->base->gaps, i);

    if (g_str_equal (was->name, gap->name)) {
      if (!g_str_equal (was->sha256, gap->sha256))
        add (judge, "gap-changed", gap->name, gap->sha256,
             g_strdup ("bytes outside of all partitions are not the base's"));
      return;
    }
  }
  add (judge, "gap-changed", gap->name, gap->sha256, g_strdup ("the base has no such gap"));
}

/* The last one may have been grown to the end of a larger disk. */
static gboolean
is_same_size (const Judge *judge, const SpAuditPart *now, const SpAuditPart *was)
{
  const SpAuditPart *last = g_ptr_array_index (judge->base->parts, judge->base->parts->len - 1);

  return now->size == was->size ||
         (was == last && now->size > was->size && g_str_equal (was->fs, "ext"));
}

static void
judge_part (Judge *judge, const SpAuditPart *now)
{
  const SpAuditPart *was = sp_audit_tree_part (judge->base, now->number);
  g_autofree char *name = g_strdup_printf ("partition-%u", now->number);
  g_autofree char *detail =
      g_strdup_printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %s %s %s", now->start,
                       now->size, now->kind, now->fs, now->sha256);

  if (was == NULL || now->start != was->start || !is_same_size (judge, now, was) ||
      !g_str_equal (now->kind, was->kind) || !g_str_equal (now->fs, was->fs))
    add (judge, "partition-changed", name, detail,
         g_strdup ("it is in another place, or of another kind, than in the base"));
  else if (!g_str_equal (now->sha256, was->sha256))
    add (judge, "boot-changed", name, detail,
         g_strdup (
             "its boot sectors, or all of it where it has no file system, are not the base's"));
}

static void
judge_disk (Judge *judge)
{
  const SpAuditTree *tree = judge->tree, *base = judge->base;

  if (!g_str_equal (tree->table, base->table) || tree->parts->len != base->parts->len)
    add (judge, "partition-table", "disk", tree->table,
         g_strdup ("it has another table, or other partitions, than the base"));
  for (guint i = 0; i < tree->gaps->len; i++)
    judge_gap (judge, g_ptr_array_index (tree->gaps, i));
  for (guint i = 0; i < tree->parts->len; i++)
    judge_part (judge, g_ptr_array_index (tree->parts, i));
}

/* ---- all of it ------------------------------------------------------------------------------------------------------ */

GPtrArray *
sp_audit_judge (const SpAuditTree *tree, const SpAuditTree *base, GHashTable *recipe,
                const char *const *accept, GError **error)
{
  g_autoptr (GPtrArray) findings =
      g_ptr_array_new_with_free_func ((GDestroyNotify) sp_audit_finding_free);
  Judge judge = { tree, base, recipe, accept, sp_audit_tree_root (base), findings };

  if (judge.root == 0 || base->parts->len == 0) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                         "there is no system on the base image");
    return NULL;
  }
  judge_disk (&judge);
  for (guint i = 0; i < tree->entries->len && findings->len <= MAX_FINDINGS; i++)
    judge_entry (&judge, g_ptr_array_index (tree->entries, i));
  for (guint i = 0; i < base->entries->len && findings->len <= MAX_FINDINGS; i++)
    judge_missing (&judge, g_ptr_array_index (base->entries, i));
  if (findings->len <= MAX_FINDINGS)
    return g_steal_pointer (&findings);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
               "more than %u things on the disk are not the base image's: is it another one?",
               MAX_FINDINGS);
  return NULL;
}
