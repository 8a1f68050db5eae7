/* test-audit-judge.c - host/audit/judge.h, tree.h: what is a finding, and what only looks like one */
#include "host/audit/judge.h"

#include <string.h>

#include "base/problem.h"
#include "host/audit/recipe.h"

#define SUM_A "0000000000000000000000000000000000000000000000000000000000000001"
#define SUM_B "0000000000000000000000000000000000000000000000000000000000000002"

/* ---- lists --------------------------------------------------------------------------------------------------- */

/* The lines of inodes and kept files, between those that each list has. */
static SpAuditTree *
tree_with (const char *lines)
{
  static const char *const head = "disk 4194304\ntable mbr\n"
                                  "gap before-1 1048064 " SUM_A "\ngap code 440 " SUM_A "\n"
                                  "gap tail 0 " SUM_A "\n"
                                  "part 1 1048576 3145728 83-80 ext " SUM_A "\n"
                                  "inode 1 f 0644 0 0 5 0 " SUM_A " - /etc/passwd -\n";
  g_autofree char *body = g_strconcat (head, lines, NULL);
  g_auto (GStrv) all = g_strsplit (body, "\n", -1);
  g_autofree char *text =
      g_strdup_printf ("secret-proxy-tree 1\n%send %u\n", body, g_strv_length (all) - 1);
  g_autoptr (GError) error = NULL;
  SpAuditTree *tree = sp_audit_tree_parse (text, strlen (text), &error);

  g_assert_no_error (error);
  return tree;
}

static GPtrArray *
judge (const char *now, const char *before, GHashTable *recipe, const char *const *accept)
{
  g_autoptr (SpAuditTree) tree = tree_with (now);
  g_autoptr (SpAuditTree) base = tree_with (before);
  g_autoptr (GHashTable) none = sp_audit_recipe_none ();
  g_autoptr (GError) error = NULL;
  GPtrArray *findings = sp_audit_judge (tree, base, recipe ? recipe : none, accept, &error);

  g_assert_no_error (error);
  return findings;
}

/* @expected: "CODE PATH", or NULL: no finding. */
static void
assert_judged (const char *now, const char *before, const char *expected)
{
  g_autoptr (GPtrArray) findings = judge (now, before, NULL, NULL);
  const SpAuditFinding *first = findings->len > 0 ? g_ptr_array_index (findings, 0) : NULL;
  g_autofree char *got = first ? g_strdup_printf ("%s %s", first->code, first->path) : NULL;

  g_assert_cmpstr (got, ==, expected);
  g_assert_cmpuint (findings->len, ==, expected ? 1 : 0);
  if (first != NULL)
    g_assert_true (sp_audit_is_sha256 (first->digest));
}

/* ---- findings -------------------------------------------------------------------------------------------------- */

#define FILE_A "inode 1 f 0755 0 0 5 0 " SUM_A " - /usr/bin/x -\n"

typedef struct {
  const char *name, *now, *before, *expected;
} Case;

static const Case cases[] = {
  { "the-same-is-none", FILE_A, FILE_A, NULL },
  { "an-added-file", FILE_A, "", "file-added /usr/bin/x" },
  { "a-missing-file", "", FILE_A, "missing /usr/bin/x" },
  { "other-content", "inode 1 f 0755 0 0 5 0 " SUM_B " - /usr/bin/x -\n", FILE_A,
    "content-changed /usr/bin/x" },
  { "other-owner", "inode 1 f 0755 7 0 5 0 " SUM_A " - /usr/bin/x -\n", FILE_A,
    "owner-changed /usr/bin/x" },
  { "other-mode", "inode 1 f 0777 0 0 5 0 " SUM_A " - /usr/bin/x -\n", FILE_A,
    "mode-changed /usr/bin/x" },
  { "setuid-is-graver-than-mode", "inode 1 f 4755 0 0 5 0 " SUM_A " - /usr/bin/x -\n", FILE_A,
    "setuid /usr/bin/x" },
  { "a-capability", "inode 1 f 0755 0 0 5 0 " SUM_A " security.capability:00 /usr/bin/x -\n",
    FILE_A, "capability /usr/bin/x" },
  { "an-attribute", "inode 1 f 0755 0 0 5 0 " SUM_A " user.x:00 /usr/bin/x -\n", FILE_A,
    "attributes-changed /usr/bin/x" },
  { "a-link-for-a-file", "inode 1 l 0777 0 0 0 0 - - /usr/bin/x /tmp/x\n", FILE_A,
    "type-changed /usr/bin/x" },
  { "a-device", "inode 1 b 0600 0 0 0 2049 - - /dev/x -\n", "", "device-added /dev/x" },
  { "a-name-is-escaped", "inode 1 d 0755 0 0 0 0 - - /a%0a%1b[2J -\n", "",
    "folder-added /a%0a%1b[2J" },
  { "a-key-is-removed-anyway", "inode 1 f 0600 0 0 5 0 " SUM_B " - /etc/ssh/ssh_host_rsa_key -\n",
    "", NULL },
  { "a-home-is-removed-anyway", "inode 1 d 0755 1000 1000 0 0 - - /home/x -\n", "", NULL },
  { "a-pipe-in-a-home-is-in-the-way",
    "inode 1 p 0600 0 0 0 0 - - /home/proxy/.ssh/authorized_keys -\n", "",
    "pipe-added /home/proxy/.ssh/authorized_keys" },
  { "a-link-in-a-home-is-in-the-way", "inode 1 l 0777 0 0 0 0 - - /home/proxy/.ssh ../../etc\n", "",
    "link-added /home/proxy/.ssh" },
  { "a-link-for-a-home", "inode 1 l 0777 0 0 0 0 - - /home /etc\n",
    "inode 1 d 0755 0 0 0 0 - - /home -\n", "type-changed /home" },
  { "a-rule-ends-with-its-name", "inode 1 d 0755 0 0 0 0 - - /homes -\n", "",
    "folder-added /homes" },
  { "a-rule-does-not-reach-below", "inode 1 f 0644 0 0 5 0 " SUM_A " - /etc/ssh/ssh_host_x/y -\n",
    "", "file-added /etc/ssh/ssh_host_x/y" },
};

static void
test_case (gconstpointer data)
{
  const Case *one = data;

  assert_judged (one->now, one->before, one->expected);
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

static char *
shadow (const char *text)
{
  g_autofree char *base64 = g_base64_encode ((const guchar *) text, strlen (text));

  return g_strdup_printf ("inode 1 f 0640 0 42 %zu 0 " SUM_A " - /etc/shadow -\n"
                          "kept 1 /etc/shadow %s\n",
                          strlen (text), base64);
}

static void
assert_shadow (const char *now, const char *expected)
{
  g_autofree char *after = shadow (now);
  g_autofree char *before = shadow ("root:*:1:0:99999:7:::\n");

  assert_judged (after, before, expected);
}

static void
test_lines (void)
{
  assert_shadow ("root:*:1:0:99999:7:::\nproxy:!:20000:0:99999:7:::\n", NULL);
  assert_shadow ("proxy:!:20000:0:99999:7:::\n", NULL);
  assert_shadow ("root:$6$x$y:1:0:99999:7:::\n", "line-added /etc/shadow");
  assert_shadow ("root:*:1:0:99999:7:::\nx::1:0:99999:7:::\n", "line-added /etc/shadow");
  assert_shadow ("root:*:1:0:99999:7:::\n \n", "line-added /etc/shadow");
}

static void
test_second_root (void)
{
  const char *const line = "toor:x:0:0::/root:/bin/sh";
  g_autofree char *base64 = g_base64_encode ((const guchar *) line, strlen (line));
  g_autofree char *kept = g_strdup_printf ("kept 1 /etc/passwd %s\n", base64);
  g_autoptr (SpAuditTree) tree = NULL;
  g_autoptr (SpAuditTree) base = tree_with ("kept 1 /etc/passwd -\n");
  g_autoptr (GHashTable) none = sp_audit_recipe_none ();
  g_autoptr (GPtrArray) findings = NULL;
  const SpAuditFinding *first;

  tree = tree_with (kept);
  ((SpAuditEntry *) sp_audit_tree_find (tree, 1, "/etc/passwd"))->size = 6;
  findings = sp_audit_judge (tree, base, none, NULL, NULL);
  g_assert_cmpuint (findings->len, ==, 1);
  first = g_ptr_array_index (findings, 0);
  g_assert_cmpstr (first->code, ==, "line-added");
  g_assert_nonnull (strstr (first->message, "toor:x:0:0"));
}

/* ---- what is accepted -------------------------------------------------------------------------------------------- */

static void
test_accept (void)
{
  g_autoptr (GPtrArray) found = judge (FILE_A, "", NULL, NULL);
  const SpAuditFinding *finding = g_ptr_array_index (found, 0);
  const char *const accept[] = { finding->digest, NULL };
  g_autoptr (GPtrArray) same = judge (FILE_A, "", NULL, accept);
  g_autoptr (GPtrArray) changed =
      judge ("inode 1 f 0755 0 0 5 0 " SUM_B " - /usr/bin/x -\n", "", NULL, accept);
  g_autoptr (GPtrArray) moved =
      judge ("inode 1 f 0755 0 0 5 0 " SUM_A " - /usr/bin/y -\n", "", NULL, accept);

  g_assert_cmpuint (same->len, ==, 0);
  g_assert_cmpuint (changed->len, ==, 1);
  g_assert_cmpuint (moved->len, ==, 1);
}

static void
test_recipe (void)
{
  g_autoptr (GHashTable) recipe = sp_audit_recipe_none ();
  g_autoptr (SpAuditTree) meant = tree_with (FILE_A);
  SpAuditEntry *entry = sp_audit_entry_copy (sp_audit_tree_find (meant, 1, "/usr/bin/x"));
  g_autoptr (GPtrArray) same = NULL;
  g_autoptr (GPtrArray) other = NULL;

  g_hash_table_insert (recipe, entry->path, entry);
  same = judge (FILE_A, "", recipe, NULL);
  other = judge ("inode 1 f 0755 0 0 5 0 " SUM_B " - /usr/bin/x -\n", "", recipe, NULL);
  g_assert_cmpuint (same->len, ==, 0);
  g_assert_cmpuint (other->len, ==, 1);
}

/* ---- the disk ---------------------------------------------------------------------------------------------------- */

static void
assert_disk (const char *from, const char *to, const char *code)
{
  g_autoptr (SpAuditTree) base = tree_with ("");
  g_autofree char *text = sp_audit_tree_text (base);
  g_auto (GStrv) halves = g_strsplit (text, from, 2);
  g_autofree char *changed = g_strjoin (to, halves[0], halves[1], NULL);
  g_autoptr (SpAuditTree) tree = sp_audit_tree_parse (changed, strlen (changed), NULL);
  g_autoptr (GHashTable) none = sp_audit_recipe_none ();
  g_autoptr (GPtrArray) findings = sp_audit_judge (tree, base, none, NULL, NULL);

  g_assert_cmpuint (findings->len, ==, code ? 1 : 0);
  if (code != NULL)
    g_assert_cmpstr (((SpAuditFinding *) g_ptr_array_index (findings, 0))->code, ==, code);
}

static void
test_disk (void)
{
  assert_disk ("code 440 " SUM_A, "code 440 " SUM_B, "gap-changed");
  assert_disk ("before-1 1048064 " SUM_A, "before-1 1048064 " SUM_B, "gap-changed");
  assert_disk ("tail 0 " SUM_A, "tail 512 " SUM_B, "gap-changed");
  assert_disk ("tail 0 ", "tail 99999744 ", NULL);
  assert_disk ("83-80 ext " SUM_A, "83-80 ext " SUM_B, "boot-changed");
  assert_disk ("part 1 1048576 3145728", "part 1 1048576 9437184", NULL);
  assert_disk ("part 1 1048576 3145728", "part 1 1048576 1048576", "partition-changed");
  assert_disk ("83-80 ext", "83-80 raw", "partition-changed");
  assert_disk ("table mbr", "table none", "partition-table");
}

/* ---- reading a list ------------------------------------------------------------------------------------------------ */

static void
test_refused (void)
{
  static const char *const lines[] = {
    "inode 1 f 0644 0 0 5 0 " SUM_A " - /a\n",
    "inode 1 f 644 0 0 5 0 " SUM_A " - /a -\n",
    "inode 1 f 0644 0 0 5 0 - - /a -\n",
    "inode 1 d 0755 0 0 5 0 - - /a -\n",
    "inode 1 d 0755 0 0 0 0 - - a -\n",
    "inode 1 d 0755 0 0 0 0 - - /a/../b -\n",
    "inode 1 d 0755 0 0 0 0 - - /a//b -\n",
    "inode 1 d 0755 0 0 0 0 - - /a%00b -\n",
    "inode 1 d 0755 0 0 0 0 - - /%61 -\n",
    "inode 1 d 0755 0 0 0 0 - - /a b\n",
    "inode 1 l 0777 0 0 0 0 - - /a %\n",
    "inode 1 d 0755 0 0 0 0 - - /a -\ninode 1 d 0755 0 0 0 0 - - /a -\n",
    "kept 1 /a QUJ\n",
    "what 1\n",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++) {
    g_autofree char *text =
        g_strdup_printf ("secret-proxy-tree 1\ndisk 1\ntable none\n%send %u\n", lines[i],
                         (guint) (2 + (strchr (lines[i], '\n')[1] != 0 ? 2 : 1)));
    g_autoptr (GError) error = NULL;

    g_assert_null (sp_audit_tree_parse (text, strlen (text), &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  }
}

static void
test_cut (void)
{
  g_autoptr (SpAuditTree) tree = tree_with (FILE_A);
  g_autofree char *text = sp_audit_tree_text (tree);

  for (gsize length = 0; length < strlen (text); length++)
    g_assert_null (sp_audit_tree_parse (text, length, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strconcat ("/audit/judge/", cases[i].name, NULL);

    g_test_add_data_func (path, &cases[i], test_case);
  }
  g_test_add_func ("/audit/judge/each-line-of-a-file-that-is-made-anew", test_lines);
  g_test_add_func ("/audit/judge/a-second-root", test_second_root);
  g_test_add_func ("/audit/judge/accepted-is-that-very-thing-only", test_accept);
  g_test_add_func ("/audit/judge/the-recipe-is-exact", test_recipe);
  g_test_add_func ("/audit/judge/table-gaps-and-boot-sectors", test_disk);
  g_test_add_func ("/audit/tree/refused", test_refused);
  g_test_add_func ("/audit/tree/half-a-list-is-none", test_cut);
  return g_test_run ();
}
