/* check.c - step 6: is the copy an image that may be opened at all?
 *
 * Our own check of header and tables comes first; only what passes it is shown to a tool, and the tool
 * runs in a sandbox.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/image/judge.h"
#include "host/takeover/private.h"

static gboolean
check (int fd, GError **error)
{
  g_autoptr (GPtrArray) findings = sp_image_judge (fd, error);
  const SpImageFinding *first;

  if (findings == NULL || findings->len == 0)
    return findings != NULL;
  first = g_ptr_array_index (findings, 0);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "the agent's disk is refused (%s): %s%s; have the agent provision anew", first->code,
               first->message, findings->len > 1 ? ", and more" : "");
  return FALSE;
}

gboolean
sp_takeover_check (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  gboolean ok;
  int fd;

  if (sp_takeover_is_rebuilt (takeover)) {
    *ret_skipped = TRUE;
    *ret_message = g_strdup ("rebuilt: nothing of the agent's disk is opened");
    return TRUE;
  }
  fd = openat (takeover->fd, SP_TAKEOVER_COPY, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot open %s/" SP_TAKEOVER_COPY ": %s",
                 takeover->folder, g_strerror (errno));
    return FALSE;
  }
  ok = check (fd, error);
  (void) close (fd);
  *ret_message = ok ? g_strdup ("a plain qcow2 that refers to nothing else") : NULL;
  return ok;
}
