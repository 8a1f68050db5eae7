/* session.h - one launch of libguestfs: a small machine of its own that mounts the disk, and what is asked of it
 *
 * Only in the program secret-proxy-audit, which runs in a sandbox (room.h) and owns nothing but the folder with
 * the disk.  File systems of strangers are parsed by the kernel of that machine, and by nothing else.
 */
#pragma once

#include <guestfs.h>

#include "host/audit/tree.h"

#define SP_AUDIT_ROOM "/room"
#define SP_AUDIT_DISK SP_AUDIT_ROOM "/disk.raw"

typedef guestfs_h SpAuditSession;
void sp_audit_session_free (SpAuditSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAuditSession, sp_audit_session_free)

SpAuditSession *sp_audit_session_new (gboolean kvm, GError **error);
/* What libguestfs has to say; FALSE, always. */
gboolean sp_audit_session_fail (SpAuditSession *session, const char *what, GError **error);

/* Each file system of @tree, mounted so that its journal is settled, and the inodes added. */
gboolean sp_audit_session_walk (SpAuditSession *session, SpAuditTree *tree, GError **error);
/* Mount the partition @part alone. */
gboolean sp_audit_session_mount (SpAuditSession *session, const SpAuditTree *tree, guint part,
                                 GError **error);

/* ---- walk.c: the inodes of what is mounted ---------------------------------------------------------------- */
gboolean sp_audit_walk (SpAuditSession *session, SpAuditTree *tree, guint part, GError **error);

/* ---- carry-out.c: what the host wants done, as of plan.h --------------------------------------------------- */
gboolean sp_audit_carry_out (SpAuditSession *session, const SpAuditTree *tree, const char *plan,
                             GError **error);
