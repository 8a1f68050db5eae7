/* trust.c - step 7: what will boot?
 *
 * For trust `exact` the agent's root partition must be the bytes of an image of the host's, and then the
 * host's own file boots; the agent's bytes never run, and no file system of the agent's is looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/image/judge.h"
#include "host/takeover/private.h"

gboolean
sp_takeover_trust (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  int fd = openat (takeover->fd, SP_TAKEOVER_COPY, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  g_autoptr (GError) local = NULL;
  gboolean same;

  if (fd < 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot open %s/" SP_TAKEOVER_COPY ": %s",
                 takeover->folder, g_strerror (errno));
    return FALSE;
  }
  same = sp_image_judge_root (fd, takeover->image->root.size, takeover->image->root.sha256, &local);
  (void) close (fd);
  if (!same) {
    g_set_error (error, SP_PROBLEM, sp_problem_code (local),
                 "%s, so this is not the image that it claims to be: have the agent provision anew "
                 "with an image that this host exported",
                 local->message);
    return FALSE;
  }
  /* It has proven what it could, and nothing of it is ever used. */
  (void) unlinkat (takeover->fd, SP_TAKEOVER_COPY, 0);
  *ret_message = g_strdup_printf ("exact: root is byte-identical to image %.12s…, whose own copy "
                                  "boots",
                                  takeover->image->id);
  return TRUE;
}

gboolean
sp_create_trust (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;

  takeover->image = sp_image_set_find (takeover->state, takeover->options->image, error);
  if (takeover->image == NULL)
    return FALSE;
  *ret_message = g_strdup_printf ("exact: image %.12s… of this host", takeover->image->id);
  return TRUE;
}
