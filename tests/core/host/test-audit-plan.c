/* test-audit-plan.c - host/audit/plan.h: what is removed, put back and made new; nothing is followed */
#include "host/audit/plan.h"

#include <string.h>

#include "base/problem.h"
#include "host/audit/recipe.h"

#define SUM "0000000000000000000000000000000000000000000000000000000000000001"
#define HEAD \
  "disk 1048576\ntable none\npart 1 0 1048576 0 ext " SUM "\n" \
  "inode 1 d 0755 0 0 0 0 - - / -\ninode 1 d 0755 0 0 0 0 - - /etc -\n" \
  "inode 1 d 0755 0 0 0 0 - - /etc/ssh -\ninode 1 d 0755 0 0 0 0 - - /home -\n" \
  "inode 1 d 0755 0 0 0 0 - - /var/log -\n"
#define FILES \
  "inode 1 f 0644 0 0 5 0 " SUM " - /etc/passwd -\ninode 1 f 0640 0 42 5 0 " SUM \
  " - /etc/shadow -\n"

static const SpAuditKeys keys = { "ssh-ed25519 NEW host\n", "PRIVATE\n", "ssh-ed25519 HOST\n" };

static char *
kept (const char *path, const char *text)
{
  g_autofree char *base64 = g_base64_encode ((const guchar *) text, strlen (text));

  return g_strdup_printf ("kept 1 %s %s\n", path, base64);
}

static SpAuditTree *
tree_of (const char *inodes, const char *passwd, const char *shadow)
{
  g_autofree char *users = kept ("/etc/passwd", passwd);
  g_autofree char *hashes = kept ("/etc/shadow", shadow);
  g_autofree char *body = g_strconcat (HEAD, inodes, users, hashes, NULL);
  g_auto (GStrv) all = g_strsplit (body, "\n", -1);
  g_autofree char *text =
      g_strdup_printf ("secret-proxy-tree 1\n%send %u\n", body, g_strv_length (all) - 1);
  g_autoptr (GError) error = NULL;
  SpAuditTree *tree = sp_audit_tree_parse (text, strlen (text), &error);

  g_assert_no_error (error);
  return tree;
}

/* One folder; a plan asks for places only. */
static GHashTable *
recipe_new (void)
{
  GHashTable *recipe = sp_audit_recipe_none ();
  SpAuditEntry *entry = g_new0 (SpAuditEntry, 1);

  entry->path = g_strdup ("/opt/secret-proxy");
  g_hash_table_insert (recipe, entry->path, entry);
  return recipe;
}

static char *
plan_of (const char *inodes, GError **error)
{
  g_autoptr (GHashTable) recipe = recipe_new ();
  g_autoptr (SpAuditTree) tree =
      tree_of (inodes, "toor:x:0:0::/:/bin/sh\n", "root:$6$agent:1::::::\n");
  g_autoptr (SpAuditTree) base =
      tree_of (FILES, "root:x:0:0:root:/root:/bin/sh\nproxy:x:13:13:proxy:/bin:/nologin\n",
               "root:$6$vendor:1::::::\nproxy:*:1::::::\n");

  return sp_audit_plan (tree, base, recipe, &keys, error);
}

/* What a file will have; NULL: it is not written. */
static char *
content_in (const char *plan, const char *path)
{
  g_autofree char *start = g_strdup_printf ("file %s ", path);
  const char *line = strstr (plan, start);
  g_auto (GStrv) words = line ? g_strsplit (line, " ", 6) : NULL;
  gsize length = 0;
  g_autofree guchar *data = NULL;

  if (words == NULL)
    return NULL;
  strchr (words[5], '\n')[0] = 0;
  data = g_base64_decode (words[5], &length);
  return g_strndup ((char *) data, length);
}

static void
test_account (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *plan = plan_of (FILES, &error);
  g_autofree char *users = NULL;
  g_autofree char *hashes = NULL;
  g_autofree char *key = NULL;
  g_autofree char *host = NULL;

  g_assert_no_error (error);
  users = content_in (plan, "/etc/passwd");
  hashes = content_in (plan, "/etc/shadow");
  key = content_in (plan, "/home/proxy/.ssh/authorized_keys");
  host = content_in (plan, "/etc/ssh/ssh_host_ed25519_key");
  g_assert_cmpstr (users, ==,
                   "root:x:0:0:root:/root:/bin/sh\n"
                   "proxy:x:1000:1000:secret-proxy:/home/proxy:/bin/sh\n");
  g_assert_cmpstr (hashes, ==, "root:*:1::::::\nproxy:*:19000:0:99999:7:::\n");
  g_assert_cmpstr (key, ==, keys.public_key);
  g_assert_cmpstr (host, ==, keys.host_key);
  g_assert_true (g_str_has_prefix (plan, "root 1\n"));
}

static void
test_empty (void)
{
  g_autoptr (SpAuditTree) tree =
      tree_of (FILES "inode 1 f 0444 0 0 0 0 " SUM " - /etc/machine-id -\n", "root:x:0:0:::\n",
               "root:*:1::::::\n");
  g_autoptr (GHashTable) recipe = recipe_new ();
  g_autoptr (GBytes) nothing = g_bytes_new (NULL, 0);
  g_autoptr (GError) error = NULL;
  g_autofree char *plan = NULL;

  sp_audit_tree_keep (tree, 1, "/etc/machine-id", nothing);
  plan = sp_audit_plan (tree, tree, recipe, &keys, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (plan, "\nfile /etc/machine-id 0444 0 0 \n"));
}

static void
test_removed (void)
{
  g_autofree char *plan =
      plan_of (FILES "inode 1 d 0755 9 9 0 0 - - /home/a -\n"
                     "inode 1 f 0600 9 9 5 0 " SUM " - /home/a/key -\n"
                     "inode 1 f 0600 0 0 5 0 " SUM " - /etc/ssh/ssh_host_rsa_key -\n"
                     "inode 1 f 0644 0 0 5 0 " SUM " - /etc/cloud/cloud-init.disabled -\n"
                     "inode 1 f 0644 0 0 5 0 " SUM " - /etc/machine-id -\n"
                     "inode 1 d 0755 0 0 0 0 - - /opt/secret-proxy -\n"
                     "inode 1 f 0644 0 0 5 0 " SUM " - /usr/bin/accepted -\n",
               NULL);

  g_assert_nonnull (strstr (plan, "remove /home/a\n"));
  /* It went with the folder. */
  g_assert_null (strstr (plan, "/home/a/key"));
  g_assert_nonnull (strstr (plan, "remove /etc/ssh/ssh_host_rsa_key\n"));
  g_assert_nonnull (strstr (plan, "remove /etc/cloud/cloud-init.disabled\n"));
  /* The base has none. */
  g_assert_nonnull (strstr (plan, "remove /etc/machine-id\n"));
  g_assert_null (strstr (plan, "accepted"));
  /* The seed brings it. */
  g_assert_nonnull (strstr (plan, "remove /opt/secret-proxy\n"));
  g_assert_true (strstr (plan, "remove /home/a\n") < strstr (plan, "folder /home/proxy "));
}

static void
test_in_the_way (void)
{
  static const char *const ways[] = {
    "inode 1 p 0644 0 0 0 0 - - /etc/passwd -\n",
    "inode 1 l 0777 0 0 0 0 - - /etc/passwd /etc/other\n",
    "inode 1 f 0644 0 0 5 0 " SUM " - /etc/passwd -\ninode 1 d 0755 0 0 0 0 - - /etc/shadow -\n",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (plan_of (ways[i], &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/audit/plan/one-account-and-no-password", test_account);
  g_test_add_func ("/audit/plan/an-empty-file-is-made-empty", test_empty);
  g_test_add_func ("/audit/plan/what-the-base-has-not-is-removed", test_removed);
  g_test_add_func ("/audit/plan/something-in-the-way-is-refused", test_in_the_way);
  return g_test_run ();
}
