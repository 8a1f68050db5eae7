/* vm-control.h - start and stop the resident process of a vault from a command line
 *
 * Where systemd runs and has the unit secret-proxy@.service, and the vault is one of the usual place, the
 * unit is started; everywhere else, and for maintenance, the process is started here, in a session of its own, with its
 * messages in `resident.log` of the vault's folder.
 */
#pragma once

#include "host/vm/vm-run.h"

/* TRUE once the vault is unlocked; at most 4 minutes, of a cloud image 16.  SP_PROBLEM_CONFLICT: it runs already. */
gboolean sp_vm_control_start (const SpVmRunOptions *options, GError **error);
/* In good order; TRUE once the process has ended, also where none ran (@ret_ran). */
gboolean sp_vm_control_stop (const char *path, gboolean *ret_ran, GError **error);
/* The same where nothing of the vault is kept: what does not end soon is killed. */
gboolean sp_vm_control_end (const char *path, GError **error);
/* Whether a resident process of @folder answers. */
gboolean sp_vm_control_runs (const char *folder);
