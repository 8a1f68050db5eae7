/* trust.c - step 7: what will boot?
 *
 * For trust `rebuilt` a disk that the host makes now: cloud.c.  For `audited` the agent's, looked at: audit.c.  For
 * `exact` the agent's root partition must be the bytes of an image of the host's, and then the host's own file boots;
 * the agent's bytes never run, and no file system of the agent's is looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/image/judge.h"
#include "host/takeover/private.h"

static gboolean
compare (SpTakeover *takeover, char **ret_message, GError **error)
{
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
sp_takeover_trust (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;

  if (sp_takeover_is_audited (takeover))
    return sp_takeover_audit (takeover, ret_message, error);
  return sp_takeover_is_rebuilt (takeover) ? sp_takeover_make_system (takeover, ret_message, error)
                                           : compare (takeover, ret_message, error);
}

static gboolean
create_of_cloud (SpTakeover *takeover, const char *id, char **ret_message, GError **error)
{
  return sp_takeover_open_cloud (takeover, id, error) &&
         sp_takeover_make_system (takeover, ret_message, error);
}

gboolean
sp_create_trust (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  const char *given = takeover->options->image ? takeover->options->image : takeover->vault->image;
  g_autofree char *id = sp_takeover_image_id (takeover->state, given);
  gboolean is_cloud = FALSE;

  if (id != NULL && !sp_takeover_is_cloud (takeover->state, id, &is_cloud, error))
    return FALSE;
  if (is_cloud)
    return create_of_cloud (takeover, id, ret_message, error);
  takeover->image = sp_image_set_find (takeover->state, id, error);
  if (takeover->image == NULL)
    return FALSE;
  takeover->trust = SP_TRUST_EXACT;
  takeover->image_id = g_strdup (takeover->image->id);
  *ret_message = g_strdup_printf ("exact: image %.12s… of this host", takeover->image_id);
  return TRUE;
}
