/* rules.h - what may differ from the base image after a first boot, because it is not kept
 *
 * A table of places.  What is in none of them must be as in the base image, or as the bundle puts it there; what
 * is in one is not kept as the agent left it: it is removed, or written anew as in the base (plan.h).  So a rule
 * says where the agent's bytes do not matter, never that they are good.
 */
#pragma once

#include <glib.h>

typedef enum {
  SP_AUDIT_CLEARED, /* a folder: what is in it and not in the base is removed, and what differs */
  SP_AUDIT_REMOVED, /* a file that is removed, whatever it is */
  SP_AUDIT_ANEW, /* a file or folder that is made anew as in the base; until then each line of a file is the
                       base's, or has the form */
} SpAuditRuleKind;

typedef struct {
  SpAuditRuleKind kind;
  const char *path; /* a * at its end stands for any letters but / */
  const char *form; /* ANEW: a regular expression for whole lines; NULL: none may be added */
  gboolean links;   /* symbolic links are usual there; elsewhere one is in the way of something */
} SpAuditRule;

/* NULL: none. */
const SpAuditRule *sp_audit_rule_for (const char *path);
/* Whether the content of @path is to be in a tree. */
gboolean sp_audit_rule_keeps (const char *path);
