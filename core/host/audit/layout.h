/* layout.h - where things lie on a disk, and that nothing lies in between
 *
 * Reads a plain file: its partition table (MBR without extended partitions, or GPT), every byte that is in no
 * partition, the first sectors of each file system, and all of each partition that has none.  What is zero
 * does not count, so that a disk that was made larger is the same one.  With the inodes of the file systems
 * nothing is left out but the free blocks in them.
 */
#pragma once

#include "host/audit/tree.h"

/* Fill @tree with what is in @fd, which nobody writes to.  SP_PROBLEM_INTEGRITY: a table that is refused. */
gboolean sp_audit_layout (int fd, SpAuditTree *tree, GError **error);
