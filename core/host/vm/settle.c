/* settle.c - settle.h
 *
 * The lock of whoever moves the vault is the sign of life: a record that is on trial without it is that of
 * a run that was killed, or of a host that went down.  An image that was not proven is not kept, so the one
 * of before boots; an image whose data is being put back is past that point, so that is finished.  Files go
 * first and the record last, so that what is interrupted here is done again.
 */
#include "host/vm/settle.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/resident/admin-socket.h"
#include "host/takeover/journal.h"
#include "host/vm/image-files.h"
#include "host/vm/vault-copy.h"
#include "host/vm/vault-record.h"

static gboolean
settle (int folder, SpVaultRecord *record, GError **error)
{
  if (record->restoring && (!sp_image_files_exchange (folder, SP_IMAGE_FROM_BEFORE, error) ||
                            !sp_vault_copy_restore (folder, error)))
    return FALSE;
  if (record->on_trial && !sp_image_files_take_back (folder, record, error))
    return FALSE;
  record->restoring = FALSE;
  if (record->on_trial) {
    g_printerr ("secret-proxy: the move to image %.12s… was interrupted before it had proven "
                "itself: back to image %.12s…\n",
                record->image, record->previous);
    sp_vault_record_go_back (record);
  }
  if (!sp_vault_record_write (record, folder, error))
    return FALSE;
  sp_vault_copy_undo (folder);
  return TRUE;
}

gboolean
sp_vault_settle_held (int folder, GError **error)
{
  g_autoptr (SpVaultRecord) record = sp_vault_record_read (folder, NULL);

  /* A record that can't be read is told by whoever needs it. */
  if (record == NULL ||
      ((!(record->on_trial || record->restoring) || settle (folder, record, error)) &&
       sp_image_files_settle (folder, record, error)))
    return TRUE;
  g_prefix_error (error, "an interrupted move to another image can't be mended: ");
  return FALSE;
}

gboolean
sp_vault_settle (const char *path, GError **error)
{
  int folder = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int moving = folder >= 0 ? sp_takeover_lock (folder, NULL) : -1;
  int running = moving >= 0 ? sp_admin_lock (folder, NULL) : -1;
  gboolean ok = running < 0 || sp_vault_settle_held (folder, error);

  if (running >= 0)
    (void) close (running);
  if (moving >= 0)
    (void) close (moving);
  if (folder >= 0)
    (void) close (folder);
  return ok;
}
