/* start.c - steps 9 and 10: the vault runs from the host's files, and proves whose it is */
#include "base/problem.h"
#include "host/self.h"
#include "host/takeover/private.h"
#include "host/vm/vm-control.h"

#define PROOF_MS 60000u

char *
sp_takeover_vault_argument (const SpTakeover *takeover)
{
  return g_strconcat (takeover->folder, "/", NULL);
}

gboolean
sp_takeover_start (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  const SpVmRunOptions options = { takeover->folder, takeover->options->config,
                                   takeover->vault->name, takeover->options->plugin_dir };

  if (!sp_vm_control_start (&options, error))
    return FALSE;
  *ret_message = g_strdup ("the new keys were put in over the admin channel");
  return TRUE;
}

/* Nothing of it is kept, so what does not end in good order is killed. */
void
sp_takeover_undo_start (gpointer data)
{
  SpTakeover *takeover = data;
  GError *error = NULL;

  takeover->runs = !sp_vm_control_end (takeover->folder, &error);
  if (takeover->runs)
    sp_takeover_keep_left (takeover, "ending the vault", error);
}

gboolean
sp_takeover_prove (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  g_autofree char *vault = sp_takeover_vault_argument (takeover);
  const char *const args[] = { "--json", "--vault", vault, "ownership", "verify", NULL };
  g_autoptr (SpSelfResult) result = sp_self_run (args, NULL, PROOF_MS, error);

  if (result == NULL)
    return FALSE;
  if (result->status == 0) {
    *ret_message = g_strdup ("over HTTPS, with a fresh nonce");
    return TRUE;
  }
  g_strchomp (result->err);
  g_set_error (error, SP_PROBLEM, sp_problem_from_exit (result->status), "%s", result->err);
  return FALSE;
}
