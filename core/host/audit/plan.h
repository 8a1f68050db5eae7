/* plan.h - what the host has done to a disk that was looked at: every way in made new or removed
 *
 * A list of acts, made by the host of what lies there (tree.h) and of the base image, and carried out by the
 * program in the same session:
 *
 *      root PARTITION
 *      remove PATH
 *      folder PATH MODE UID GID
 *      file PATH MODE UID GID BASE64
 *      link PATH TARGET
 *      end ACTS
 *
 * What must stay true: nothing is followed. Every folder on the way to a PATH is a folder in the tree, or made by
 * the plan; where something else than a plain file lies at the place of a file, there is no plan at all.
 */
#pragma once

#include "host/audit/tree.h"

#define SP_AUDIT_MAX_PLAN (16u * 1024u * 1024u)
#define SP_AUDIT_DONE "done"

/* Who may come in afterwards, and how. */
typedef struct {
  const char *public_key;      /* a line of authorized_keys */
  const char *host_key;        /* OpenSSH's private key, Ed25519 */
  const char *host_public_key; /* a line as in ssh_host_ed25519_key.pub */
} SpAuditKeys;

/* What is of @recipe (recipe.h) is removed as well: the seed brings it again, and until it has done so no daemon
 * may serve.  The acts as text; it has the host key in it: wipe it when it is freed.  SP_PROBLEM_INTEGRITY where something
 * is in the way. */
char *sp_audit_plan (const SpAuditTree *tree, const SpAuditTree *base, GHashTable *recipe,
                     const SpAuditKeys *keys, GError **error);

#define SP_AUDIT_ACCOUNT "proxy"
