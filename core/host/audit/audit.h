/* audit.h - trust `audited`: the agent's disk boots, after all on it was compared, and every way in made new
 *
 * In one session (room.h): the host's copy of the disk is mounted, so that its journal is settled; everything on it
 * is compared with the base image and the bundle (judge.h); and where nothing is found, or all that is found was
 * accepted by digest, it is given the host's keys (plan.h) and handed out again.
 *
 * What it is worth: less than an image that the host made.  What looks at the disk parses what a stranger wrote,
 * and could be made to say that all is well.
 */
#pragma once

#include "host/audit/judge.h"
#include "host/audit/plan.h"

typedef struct {
  const char *state;         /* below it lists of base images are kept */
  const char *base;          /* the qcow2 that the disk was made of */
  const char *base_sha256;   /* hex; NULL: it is computed */
  const char *bundle;        /* bundle.tar; NULL: nothing was added to the base */
  gboolean kvm;              /* it was seen to run guests here; else they are emulated */
  const char *const *accept; /* digests, NULL-terminated; NULL: none */
  void (*progress) (const char *what, gpointer data); /* may be NULL */
  gpointer data;
} SpAuditOptions;

typedef struct _SpAudit SpAudit;

/* Look at a copy of the qcow2 @fd.  What was found is in @ret_findings (SpAuditFinding); the session goes on.  Blocks for a
 * minute or more. */
SpAudit *
sp_audit_begin (int fd, const SpAuditOptions *options, GPtrArray **ret_findings, GError **error);
/* After findings were settled: make every key new, and write the disk to the new file @name of @folder. */
gboolean sp_audit_rekey (SpAudit *audit, const SpAuditKeys *keys, int folder, const char *name,
                         GError **error);
/* End the session; what was looked at is gone. */
void sp_audit_free (SpAudit *audit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAudit, sp_audit_free)

/* Whether this host can look at disks; SP_PROBLEM_CONFIG says what is missing. */
gboolean sp_audit_check (GError **error);
/* Remove what an audit that was killed has left below @state. */
void sp_audit_sweep (const char *state);
/* Digests with commas between, as an admin writes them.  NULL: one is not well-formed. */
char **sp_audit_parse_accept (const char *text, GError **error);
