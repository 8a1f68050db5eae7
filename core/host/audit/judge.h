/* judge.h - what on a disk is neither the base image's nor the recipe's, nor made new anyway
 *
 * Refusal is what happens by itself: whatever no line of the base, no entry of the recipe and no rule (rules.h)
 * accounts for is a finding.  One can be accepted by its digest, which stands for place and content: where
 * either changes it is another one.
 *
 * Pure: it sees two lists, opens nothing, and knows no time.
 */
#pragma once

#include "host/audit/tree.h"

typedef struct {
  const char *code; /* static: file-added, capability-added, line-added, … */
  char *path;       /* escaped; a partition or gap: its name */
  char *message;    /* for people, escaped */
  char *digest;     /* hex */
} SpAuditFinding;

void sp_audit_finding_free (SpAuditFinding *finding);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAuditFinding, sp_audit_finding_free)

/* SpAuditFinding, in the order of @tree.  @recipe: see recipe.h.  @accept: digests, NULL-terminated, or NULL.
 * SP_PROBLEM_TOO_LARGE where there are so many that nobody could read them. */
GPtrArray *sp_audit_judge (const SpAuditTree *tree, const SpAuditTree *base, GHashTable *recipe,
                           const char *const *accept, GError **error);
