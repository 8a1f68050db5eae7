/* signal.c - step 1: the agent says that its vault is ready; is the host?
 *
 * Everything that can be known before the agent's VM is touched is asked here, so that it is not paused
 * for nothing: the image that it names, and whether this machine can run what was configured.
 */
#include <string.h>

#include "base/problem.h"
#include "host/source/ready.h"
#include "host/takeover/private.h"
#include "host/vm/vm.h"

/* Of a vault whose ready file says no more than that it is there. */
#define PLAIN_PORT 3737u

SpSource *
sp_takeover_source (SpTakeover *takeover, GError **error)
{
  if (takeover->source == NULL)
    takeover->source = sp_source_open (takeover->from, error);
  return takeover->source;
}

/* Emulation is no security boundary, so it has to be asked for. */
static gboolean
check_machine (SpTakeover *takeover, GError **error)
{
  const SpConfigVault *vault = takeover->vault;
  g_autofree char *state = g_build_filename (takeover->folder, SP_VAULT_MACHINE, NULL);
  g_autoptr (SpVm) vm = sp_vm_open (vault->vm, takeover->options->plugin_dir, state, error);
  SpVmProbe probe = { .size = sizeof probe };
  gboolean good;

  if (vm == NULL || !sp_vm_probe (vm, &probe, error))
    return FALSE;
  takeover->has_kvm = probe.acceleration == SP_VM_KVM;
  good = takeover->has_kvm || (probe.acceleration == SP_VM_EMULATED && vault->allow_emulation);
  if (!good && vault->allow_emulation)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "this machine can't run a vault VM, not even emulated (%s): mend that, or see "
                 "'secret-proxy doctor'",
                 probe.why);
  else if (!good)
    g_set_error (
        error, SP_PROBLEM, SP_PROBLEM_CONFIG,
        "this machine can't run a vault VM with hardware virtualisation (%s), and emulation "
        "isolates nothing: set allow-emulation = yes in [vault %s] if that is good enough",
        probe.why, vault->name);
  sp_vm_probe_clear (&probe);
  return good;
}

/* ---- which image -------------------------------------------------------------------------------------- */

static gboolean
check_appliance (const SpTakeover *takeover, const SpReady *ready, GError **error)
{
  gboolean is_cloud = FALSE;

  if (ready->image == NULL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "the ready file names no image, so this is no appliance: have the agent run "
                 "'secret-proxy provision' with an image of this host, or set trust = rebuilt in "
                 "[vault %s]",
                 takeover->vault->name);
    return FALSE;
  }
  if (!sp_takeover_is_cloud (takeover->state, ready->image, &is_cloud, error))
    return FALSE;
  if (!is_cloud)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
               "image %.12s… is a cloud image, which can't be taken over byte by byte: set trust = "
               "rebuilt in [vault %s]",
               ready->image, takeover->vault->name);
  return FALSE;
}

/* @ret_what: for people. */
static gboolean
choose_image (SpTakeover *takeover, const SpReady *ready, char **ret_what, GError **error)
{
  if (g_str_equal (takeover->vault->trust, SP_TRUST_REBUILT))
    return sp_takeover_choose_cloud (takeover, ready->image, ret_what, error);
  if (g_str_equal (takeover->vault->trust, SP_TRUST_AUDITED))
    return sp_takeover_choose_base (takeover, ready->image, ret_what, error);
  if (!check_appliance (takeover, ready, error))
    return FALSE;
  takeover->image = sp_image_set_find (takeover->state, ready->image, error);
  if (takeover->image == NULL)
    return FALSE;
  takeover->trust = SP_TRUST_EXACT;
  takeover->image_id = g_strdup (takeover->image->id);
  *ret_what = g_strdup_printf ("image %.12s…", takeover->image_id);
  return TRUE;
}

gboolean
sp_takeover_signal (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  g_autofree char *text = NULL;
  g_autofree char *what = NULL;
  g_autoptr (SpReady) ready = NULL;
  g_autoptr (GError) local = NULL;

  if (!sp_takeover_check_accepted (takeover, error))
    return FALSE;
  if (sp_takeover_source (takeover, &local) == NULL) {
    if (g_error_matches (local, SP_PROBLEM, SP_PROBLEM_NOT_FOUND))
      sp_takeover_advise (&local, SP_TAKEOVER_ANEW ", or correct its section in the config");
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  text = sp_source_read (takeover->source, SP_SOURCE_READY, error);
  ready = text ? sp_ready_parse (text, strlen (text), error) : NULL;
  if (ready == NULL) {
    sp_takeover_advise (error, SP_TAKEOVER_ANEW);
    return FALSE;
  }
  takeover->port = ready->form == SP_READY_PLAIN ? PLAIN_PORT : ready->port;
  if (!choose_image (takeover, ready, &what, error) || !check_machine (takeover, error))
    return FALSE;
  *ret_message =
      g_strdup_printf ("%s, port %u, %s", what, takeover->port, sp_source_label (takeover->source));
  return TRUE;
}
