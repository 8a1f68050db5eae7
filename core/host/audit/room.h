/* room.h - the folder and the sandbox in which a disk of a stranger's is looked at
 *
 * A new folder that belongs to a user of its own (base/user.h: root becomes "audit"; everyone else stays who they
 * are), with a plain copy of the disk in it.  What works there is run by bubblewrap: no network, no process but
 * its own, /usr to read and this folder to write to, bounds on memory, time and files, a deadline for all.  The
 * machine that mounts the disk is made anew each time, from the host's packages, before the disk comes in: what
 * an earlier disk may have done to one is gone.
 *
 * What must stay true: nothing outside of the folder is ever opened by what has seen the disk, and nothing in
 * it is used by the host but as bytes.
 */
#pragma once

#include "host/audit/tree.h"

typedef struct _SpAuditRoom SpAuditRoom;

/* Whether this host has what it takes; SP_PROBLEM_CONFIG says what is missing. */
gboolean sp_audit_room_check (GError **error);
/* @beside: a folder whose disk has space; another is used where the user could not come in.  Blocks. */
SpAuditRoom *sp_audit_room_new (const char *beside, GError **error);
/* Remove what processes that were killed have left beside. */
void sp_audit_room_sweep (const char *beside);
/* End what runs, and remove all. */
void sp_audit_room_free (SpAuditRoom *room);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAuditRoom, sp_audit_room_free)

/* The disk in the qcow2 @fd.  One @of_stranger is checked as image/judge.h does; SP_PROBLEM_INTEGRITY.  Once. */
gboolean sp_audit_room_take_disk (SpAuditRoom *room, int fd, gboolean of_stranger, GError **error);
/* The disk as a qcow2 in the new file @name of @folder, 0600. */
gboolean sp_audit_room_give_disk (SpAuditRoom *room, int folder, const char *name, GError **error);

/* Begin a session and walk: what is on the disk.  @kvm: it was seen to run guests here. */
SpAuditTree *sp_audit_room_look (SpAuditRoom *room, gboolean kvm, GError **error);
/* End the session; @plan: first do that to the disk; NULL: nothing. */
gboolean sp_audit_room_end (SpAuditRoom *room, const char *plan, GError **error);

/* ---- run.c: what runs there ----------------------------------------------------------------------------- */

typedef struct {
  const char *const *argv; /* absolute */
  const char *
      folder; /* the room's, shown as /room; NULL: run it outside of the sandbox, on trusted things only */
  const char *scratch; /* where there is no sandbox: for temporary files */
  const char *program; /* shown as /audit; NULL: none */
} SpAuditJob;

typedef struct _SpAuditRun SpAuditRun;
SpAuditRun *sp_audit_run_start (const SpAuditJob *job, guint max_seconds, GError **error);
/* What it prints up to the line that begins with @end, or all until it ends where that is NULL. */
char *sp_audit_run_read (SpAuditRun *run, const char *end, gsize most, GError **error);
/* Nothing more after that. */
gboolean sp_audit_run_write (SpAuditRun *run, const char *text, GError **error);
/* Wait until it has ended; FALSE: not as it should. */
gboolean sp_audit_run_end (SpAuditRun *run, GError **error);
void sp_audit_run_free (SpAuditRun *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAuditRun, sp_audit_run_free)

/* ---- program.c: where secret-proxy-audit is; SP_PROBLEM_CONFIG where it was not built ---------------------- */
char *sp_audit_program (GError **error);
