/* fuzz-audit-tree.c - the list of a disk, as what looked at it sends it
 *
 * There is one way only to write a list: what is read is written again as the same bytes; and what was found out
 * about it is the same for its copy.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "host/audit/judge.h"
#include "host/audit/recipe.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check_judged (const SpAuditTree *tree)
{
  g_autoptr (GHashTable) none = sp_audit_recipe_none ();
  g_autoptr (GPtrArray) findings = NULL;

  if (sp_audit_tree_root (tree) == 0)
    return;
  findings = sp_audit_judge (tree, tree, none, NULL, NULL);
  /* A partition or name that is there twice is no disk; all else is like itself. */
  for (guint i = 0; findings != NULL && i < findings->len; i++) {
    const SpAuditFinding *finding = g_ptr_array_index (findings, i);

    g_assert_true (sp_audit_is_sha256 (finding->digest));
    g_assert_cmpstr (finding->code, !=, "missing");
    g_assert_cmpstr (finding->code, !=, "file-added");
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpAuditTree) tree = sp_audit_tree_parse ((const char *) data, size, &error);
  g_autofree char *again = NULL;

  g_assert_true ((tree == NULL) == (error != NULL));
  if (tree == NULL)
    return 0;
  again = sp_audit_tree_text (tree);
  g_assert_cmpmem (again, strlen (again), data, size);
  check_judged (tree);
  return 0;
}
