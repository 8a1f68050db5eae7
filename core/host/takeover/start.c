/* start.c - steps 9 and 10: the vault runs from the host's files, and proves whose it is */
#include "base/problem.h"
#include "host/takeover/private.h"
#include "host/vm/prove.h"
#include "host/vm/vm-control.h"

char *
sp_takeover_vault_argument (const SpTakeover *takeover)
{
  return g_strconcat (takeover->folder, "/", NULL);
}

gboolean
sp_takeover_start (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  const SpVmRunOptions options = { .dir = takeover->folder,
                                   .config = takeover->options->config,
                                   .vault = takeover->vault->name,
                                   .plugin_dir = takeover->options->plugin_dir };

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

  if (!sp_vm_prove (takeover->folder, error))
    return FALSE;
  *ret_message = g_strdup ("over HTTPS, with a fresh nonce");
  return TRUE;
}
