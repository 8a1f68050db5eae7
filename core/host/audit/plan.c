/* plan.c - plan.h: put back what the base has, remove what it has not, let one key in
 *
 * Afterwards the disk is as one that never booted, but for what was accepted: its first boot by the host, with the
 * host's own seed, sets the rest as for trust `rebuilt`.
 *
 * What must stay true: a file of the agent's in a place that is made new does not outlive this, whatever it is.
 */
#include "host/audit/plan.h"

#include <string.h>

#include "base/problem.h"
#include "base/secret.h"
#include "host/audit/rules.h"

#define HOME "/home/" SP_AUDIT_ACCOUNT
#define FIRST_NUMBER 1000u
#define HOST_KEY "/etc/ssh/ssh_host_ed25519_key"

typedef struct {
  const SpAuditTree *tree, *base;
  GHashTable *recipe;
  guint root;
  GString *acts;
  guint n;
  GHashTable *removed; /* folders that went with all in them */
} Plan;

/* ---- acts ------------------------------------------------------------------------------------------------------ */

static void
act_remove (Plan *plan, const SpAuditEntry *now)
{
  g_autofree char *path = sp_audit_escape (now->path);

  g_string_append_printf (plan->acts, "remove %s\n", path);
  plan->n++;
  if (now->type == SP_AUDIT_DIR)
    g_hash_table_add (plan->removed, g_strdup (now->path));
}

static void
act_folder (Plan *plan, const char *path, guint mode, guint uid, guint gid)
{
  g_autofree char *word = sp_audit_escape (path);

  g_string_append_printf (plan->acts, "folder %s %04o %u %u\n", word, mode, uid, gid);
  plan->n++;
}

static void
act_file (Plan *plan, const char *path, guint mode, guint uid, guint gid, const char *data,
          gsize length)
{
  g_autofree char *word = sp_audit_escape (path);
  char *base64 = g_base64_encode ((const guchar *) data, length);

  g_string_append_printf (plan->acts, "file %s %04o %u %u %s\n", word, mode, uid, gid, base64);
  plan->n++;
  sp_wipe (base64, strlen (base64));
  g_free (base64);
}

static void
act_link (Plan *plan, const SpAuditEntry *was)
{
  g_autofree char *path = sp_audit_escape (was->path);
  g_autofree char *target = sp_audit_escape (was->target);

  g_string_append_printf (plan->acts, "link %s %s\n", path, target);
  plan->n++;
}

/* ---- what is there --------------------------------------------------------------------------------------------- */

static gboolean
is_gone (const Plan *plan, const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);

  while (folder[1] != 0) {
    char *slash = strrchr (folder, '/');

    if (g_hash_table_contains (plan->removed, folder))
      return TRUE;
    slash[slash == folder ? 1 : 0] = 0;
  }
  return FALSE;
}

/* Links and empty folders of the base can be made again; files can't, and nothing misses them. */
static void
put_back (Plan *plan, const SpAuditEntry *was)
{
  if (was->type == SP_AUDIT_DIR)
    act_folder (plan, was->path, was->mode, was->uid, was->gid);
  else if (was->type == SP_AUDIT_LINK)
    act_link (plan, was);
}

/* Of the recipe, and of nothing else. */
static gboolean
is_of_recipe (const Plan *plan, const SpAuditEntry *now)
{
  return now->part == plan->root && g_hash_table_contains (plan->recipe, now->path) &&
         sp_audit_tree_find (plan->base, now->part, now->path) == NULL;
}

static void
plan_entry (Plan *plan, const SpAuditEntry *now)
{
  const SpAuditRule *rule = now->part == plan->root ? sp_audit_rule_for (now->path) : NULL;
  const SpAuditEntry *was = sp_audit_tree_find (plan->base, now->part, now->path);
  gboolean is_anew = rule != NULL && rule->kind == SP_AUDIT_ANEW && was != NULL;

  if (is_gone (plan, now->path))
    return;
  if (is_of_recipe (plan, now))
    act_remove (plan, now);
  if (rule == NULL)
    return;
  if (rule->kind == SP_AUDIT_CLEARED && was != NULL && sp_audit_entry_equal (now, was))
    return;
  if (was != NULL && was->type == SP_AUDIT_DIR && now->type == SP_AUDIT_DIR)
    act_folder (plan, was->path, was->mode, was->uid, was->gid);
  else if (!is_anew || was->type != SP_AUDIT_FILE)
    act_remove (plan, now);
}

/* ---- the account ------------------------------------------------------------------------------------------------ */

static char *
kept_text (const SpAuditTree *base, const char *path)
{
  GBytes *content = sp_audit_tree_kept (base, sp_audit_tree_root (base), path);

  /* An empty one has no data at all. */
  if (content != NULL && g_bytes_get_size (content) == 0)
    return g_strdup ("");
  return content ? g_strndup (g_bytes_get_data (content, NULL), g_bytes_get_size (content)) : NULL;
}

/* The first number of people that no line of the base has. */
static guint
free_number (const SpAuditTree *base)
{
  g_autofree char *users = kept_text (base, "/etc/passwd");
  g_autofree char *groups = kept_text (base, "/etc/group");

  for (guint number = FIRST_NUMBER;; number++) {
    g_autofree char *word = g_strdup_printf (":%u:", number);

    if ((users == NULL || strstr (users, word) == NULL) &&
        (groups == NULL || strstr (groups, word) == NULL))
      return number;
  }
}

/* Nobody gets in with a password, whatever the vendor thought. */
static char *
lock (const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, ":", 3);

  if (g_strv_length (words) < 3 || *words[1] == '!' || *words[1] == '*')
    return g_strdup (line);
  return g_strdup_printf ("%s:*:%s", words[0], words[2]);
}

static char *
with_account (const char *text, gboolean is_shadow, const char *line)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  GString *out = g_string_new (NULL);

  for (char **at = lines; *at != NULL; at++) {
    g_autofree char *kept = is_shadow ? lock (*at) : g_strdup (*at);

    if (**at != 0 && !g_str_has_prefix (*at, SP_AUDIT_ACCOUNT ":"))
      g_string_append_printf (out, "%s\n", kept);
  }
  g_string_append_printf (out, "%s\n", line);
  return g_string_free (out, FALSE);
}

/* The base's text of @path, with what the account needs. */
static char *
anew (const Plan *plan, const char *path, guint number)
{
  const struct {
    const char *path;
    gboolean is_shadow;
    char *line;
  } files[] = {
    { "/etc/passwd", FALSE,
      g_strdup_printf (SP_AUDIT_ACCOUNT ":x:%u:%u:secret-proxy:" HOME ":/bin/sh", number, number) },
    { "/etc/shadow", TRUE, g_strdup (SP_AUDIT_ACCOUNT ":*:19000:0:99999:7:::") },
    { "/etc/group", FALSE, g_strdup_printf (SP_AUDIT_ACCOUNT ":x:%u:", number) },
    { "/etc/gshadow", FALSE, g_strdup (SP_AUDIT_ACCOUNT ":!::") },
  };
  g_autofree char *text = kept_text (plan->base, path);
  char *out = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (files); i++) {
    if (text != NULL && g_str_equal (path, files[i].path))
      out = with_account (text, files[i].is_shadow, files[i].line);
    g_free (files[i].line);
  }
  return out ? out : g_steal_pointer (&text);
}

/* ---- what the base has, and the disk has not or not so ----------------------------------------------------------- */

static gboolean
fail_in_the_way (const char *path, GError **error)
{
  g_autofree char *shown = sp_audit_escape (path);

  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "something else than a plain file is in the way at %s: it is not followed", shown);
  return FALSE;
}

static gboolean
plan_base (Plan *plan, const SpAuditEntry *was, guint number, GError **error)
{
  const SpAuditRule *rule = was->part == plan->root ? sp_audit_rule_for (was->path) : NULL;
  const SpAuditEntry *now = sp_audit_tree_find (plan->tree, was->part, was->path);
  g_autofree char *text = NULL;

  if (rule == NULL || rule->kind == SP_AUDIT_REMOVED)
    return TRUE;
  if (was->type != SP_AUDIT_FILE) {
    if (now == NULL || now->type != was->type)
      put_back (plan, was);
    return TRUE;
  }
  if (rule->kind != SP_AUDIT_ANEW)
    return TRUE;
  if (now != NULL && now->type != SP_AUDIT_FILE)
    return fail_in_the_way (was->path, error);
  text = anew (plan, was->path, number);
  if (text == NULL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "the base image's %s is too large to be made anew", was->path);
    return FALSE;
  }
  act_file (plan, was->path, was->mode, was->uid, was->gid, text, strlen (text));
  return TRUE;
}

static void
plan_keys (Plan *plan, const SpAuditKeys *keys, guint number)
{
  act_folder (plan, HOME, 0700, number, number);
  act_folder (plan, HOME "/.ssh", 0700, number, number);
  act_file (plan, HOME "/.ssh/authorized_keys", 0600, number, number, keys->public_key,
            strlen (keys->public_key));
  act_file (plan, HOST_KEY, 0600, 0, 0, keys->host_key, strlen (keys->host_key));
  act_file (plan, HOST_KEY ".pub", 0644, 0, 0, keys->host_public_key,
            strlen (keys->host_public_key));
}

/* Folders before what is in them. */
static gint
by_path (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(SpAuditEntry *const *) a)->path, (*(SpAuditEntry *const *) b)->path);
}

static GPtrArray *
sorted (const SpAuditTree *tree)
{
  GPtrArray *entries = g_ptr_array_new ();

  for (guint i = 0; i < tree->entries->len; i++)
    g_ptr_array_add (entries, g_ptr_array_index (tree->entries, i));
  g_ptr_array_sort (entries, by_path);
  return entries;
}

/* The home is made new in any case, also where the base has one. */
static gboolean
check_home (const Plan *plan, GError **error)
{
  const SpAuditEntry *home = sp_audit_tree_find (plan->base, plan->root, "/home");
  const SpAuditEntry *ssh = sp_audit_tree_find (plan->tree, plan->root, "/etc/ssh");

  if (home == NULL || home->type != SP_AUDIT_DIR)
    return fail_in_the_way ("/home", error);
  if (ssh == NULL || ssh->type != SP_AUDIT_DIR)
    return fail_in_the_way ("/etc/ssh", error);
  return TRUE;
}

char *
sp_audit_plan (const SpAuditTree *tree, const SpAuditTree *base, GHashTable *recipe,
               const SpAuditKeys *keys, GError **error)
{
  g_autoptr (GHashTable) removed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GPtrArray) now = sorted (tree);
  g_autoptr (GPtrArray) before = sorted (base);
  Plan plan = { tree, base, recipe, sp_audit_tree_root (base), NULL, 0, removed };
  guint number = free_number (base);
  gboolean ok = check_home (&plan, error);

  plan.acts = g_string_sized_new (256u * 1024u);
  g_string_append_printf (plan.acts, "root %u\n", plan.root);
  for (guint i = 0; ok && i < now->len; i++)
    plan_entry (&plan, g_ptr_array_index (now, i));
  for (guint i = 0; ok && i < before->len; i++)
    ok = plan_base (&plan, g_ptr_array_index (before, i), number, error);
  if (ok)
    plan_keys (&plan, keys, number);
  g_string_append_printf (plan.acts, "end %u\n", plan.n);
  return g_string_free (plan.acts, !ok);
}
