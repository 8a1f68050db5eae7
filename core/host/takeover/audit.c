/* audit.c - what steps 1, 7 and 8 do for trust `audited`: the agent's own disk boots, looked at and with new keys
 *
 * Step 7 has all on it compared with the host's cloud image; step 8 has every way in made new, in the same session,
 * since each start of what looks costs seconds.  From then on it is as with trust `rebuilt`: the first boot reads a
 * seed of the host's own.
 *
 * What must stay true: what was looked at is what boots, and nothing is accepted that no admin has written down.
 */
#include "host/audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/takeover/private.h"

gboolean
sp_takeover_is_audited (const SpTakeover *takeover)
{
  return g_strcmp0 (takeover->trust, SP_TRUST_AUDITED) == 0;
}

/* The image that the agent says it has booted, as there is nothing else to compare with; the config's where the
 * agent names none. */
gboolean
sp_takeover_choose_base (SpTakeover *takeover, const char *claimed, char **ret_why, GError **error)
{
  const char *id = takeover->vault->image ? takeover->vault->image : claimed;

  if (id == NULL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "[vault %s] trust = audited: the ready file names no image, so say with 'image' "
                 "which one of this host the agent's disk was made of",
                 takeover->vault->name);
    return FALSE;
  }
  if (!sp_audit_check (error) || !sp_takeover_open_cloud (takeover, id, error)) {
    g_prefix_error (error, "[vault %s] trust = audited: ", takeover->vault->name);
    return FALSE;
  }
  takeover->trust = SP_TRUST_AUDITED;
  *ret_why = g_strdup_printf ("to be compared with image %.12s… (%s)", takeover->image_id,
                              takeover->cloud->name);
  return TRUE;
}

/* ---- what is accepted ------------------------------------------------------------------------------------------ */

static gboolean
append_accepted (GPtrArray *digests, const char *text, GError **error)
{
  g_auto (GStrv) words = text ? sp_audit_parse_accept (text, error) : NULL;

  for (char **word = words; word != NULL && *word != NULL; word++)
    g_ptr_array_add (digests, g_strdup (*word));
  return text == NULL || words != NULL;
}

/* Of the config and of the command line. */
static char **
accepted (const SpTakeover *takeover, GError **error)
{
  g_autoptr (GPtrArray) digests = g_ptr_array_new_with_free_func (g_free);

  if (!append_accepted (digests, takeover->from->accept, error)) {
    g_prefix_error (error, "[source %s] ", takeover->from->name);
    return NULL;
  }
  if (!append_accepted (digests, takeover->options->accept, error))
    return NULL;
  g_ptr_array_add (digests, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&digests), FALSE);
}

gboolean
sp_takeover_check_accepted (const SpTakeover *takeover, GError **error)
{
  g_auto (GStrv) digests = accepted (takeover, error);

  return digests != NULL;
}

/* ---- step 7 -------------------------------------------------------------------------------------------------------- */

static gboolean
settle (SpTakeover *takeover, GPtrArray *findings, guint n_accepted, char **ret_message,
        GError **error)
{
  if (findings->len > 0) {
    takeover->options->found (findings, takeover->options->data);
    g_set_error (
        error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
        "the agent's disk is refused: %u things on it are neither the image's nor made new; "
        "accept each by its digest, or take it over with trust = rebuilt",
        findings->len);
    return FALSE;
  }
  *ret_message = g_strdup_printf ("audited: nothing on the agent's disk differs from image %.12s… "
                                  "but what is made new; %u digests are accepted",
                                  takeover->image_id, n_accepted);
  return TRUE;
}

static gboolean
look (SpTakeover *takeover, int fd, char **ret_message, GError **error)
{
  g_auto (GStrv) digests = accepted (takeover, error);
  const SpAuditOptions options = { .state = takeover->state,
                                   .base = takeover->cloud->base.path,
                                   .base_sha256 = takeover->cloud->base.sha256,
                                   .bundle = takeover->cloud->bundle.path,
                                   .kvm = takeover->has_kvm,
                                   .accept = (const char *const *) digests };
  g_autoptr (GPtrArray) findings = NULL;

  if (digests == NULL)
    return FALSE;
  takeover->audit = sp_audit_begin (fd, &options, &findings, error);
  return takeover->audit != NULL &&
         settle (takeover, findings, g_strv_length (digests), ret_message, error);
}

gboolean
sp_takeover_audit (SpTakeover *takeover, char **ret_message, GError **error)
{
  int fd = openat (takeover->fd, SP_TAKEOVER_COPY, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  gboolean ok;

  if (fd < 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot open %s/" SP_TAKEOVER_COPY ": %s",
                 takeover->folder, g_strerror (errno));
    return FALSE;
  }
  ok = look (takeover, fd, ret_message, error);
  (void) close (fd);
  /* What was looked at is a copy of it, and boots; this one is of no more use. */
  if (ok)
    (void) unlinkat (takeover->fd, SP_TAKEOVER_COPY, 0);
  return ok;
}

/* ---- step 8 -------------------------------------------------------------------------------------------------------- */

gboolean
sp_takeover_rekey (SpTakeover *takeover, const char *login, SpSecret *host_key,
                   const char *host_public, GError **error)
{
  g_autofree char *line = g_strconcat (login, "\n", NULL);
  g_autofree char *host_line = g_strconcat (host_public, "\n", NULL);
  /* As text, for it is written to a list of acts; wiped below. */
  char *private_text =
      g_strndup ((const char *) sp_secret_data (host_key), sp_secret_length (host_key));
  const SpAuditKeys keys = { line, private_text, host_line };
  gboolean ok = sp_audit_rekey (takeover->audit, &keys, takeover->fd, SP_VAULT_SYSTEM, error);

  sp_wipe (private_text, strlen (private_text));
  g_free (private_text);
  g_clear_pointer (&takeover->audit, sp_audit_free);
  return ok;
}
