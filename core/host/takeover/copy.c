/* copy.c - step 5: the agent's disk in one stream into a file of the host's
 *
 * What is checked and compared later is this copy; the agent may go on writing to its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/image/image.h"
#include "host/takeover/private.h"

static int
open_copy (const SpTakeover *takeover, GError **error)
{
  int fd = openat (takeover->fd, SP_TAKEOVER_COPY,
                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd < 0)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make %s/" SP_TAKEOVER_COPY ": %s",
                 takeover->folder, g_strerror (errno));
  return fd;
}

gboolean
sp_takeover_copy (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  struct stat st;
  gboolean ok;
  int fd;

  if (sp_takeover_is_rebuilt (takeover)) {
    *ret_skipped = TRUE;
    *ret_message =
        g_strdup ("rebuilt: the host makes a disk of its own, and uses nothing of the agent's");
    return TRUE;
  }
  fd = open_copy (takeover, error);
  if (fd < 0)
    return FALSE;
  ok = sp_source_copy_disk (takeover->source, fd, sp_image_default_limits.max_file, NULL, NULL,
                            &takeover->disk_sha256, error);
  if (ok && fstat (fd, &st) == 0)
    *ret_message = g_strdup_printf ("%.1f MB, sha256 %.12s…", (double) st.st_size / 1e6,
                                    takeover->disk_sha256);
  (void) close (fd);
  if (!ok)
    sp_takeover_advise (error, SP_TAKEOVER_ANEW);
  return ok;
}

void
sp_takeover_undo_copy (gpointer data)
{
  (void) unlinkat (((SpTakeover *) data)->fd, SP_TAKEOVER_COPY, 0);
}
