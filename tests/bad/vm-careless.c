/* vm-careless - finds without saying what, states that are none, a failure without a reason */
#include <secret-proxy/vm.h>

static gpointer
careless_open (SpHost *host, GError **error)
{
  return host;
}

static void
careless_close (gpointer self)
{
}

static gboolean
careless_probe (gpointer self, SpVmProbe *ret_probe, GCancellable *cancellable, GError **error)
{
  ret_probe->acceleration = SP_VM_KVM;
  return TRUE;
}

static gboolean
careless_create (gpointer self, const SpVmSpec *spec, GCancellable *cancellable, GError **error)
{
  return TRUE;
}

static gboolean
careless_start (gpointer self, const char *id, GCancellable *cancellable, GError **error)
{
  return FALSE;
}

static gboolean
careless_stop (gpointer self, const char *id, gboolean force, GCancellable *cancellable,
               GError **error)
{
  g_set_error_literal (error, SP_ERROR, SP_ERROR_REFUSED, "no");
  return TRUE;
}

static gboolean
careless_inspect (gpointer self, const char *id, SpVmInfo *ret_info, GCancellable *cancellable,
                  GError **error)
{
  ret_info->state = SP_VM_FAILED;
  return TRUE;
}

static gboolean
careless_list (gpointer self, SpVmFunc each, gpointer data, GCancellable *cancellable,
               GError **error)
{
  (void) each ("a", 77, data);
  return TRUE;
}

static const SpVmOps ops = { .probe = careless_probe,
                             .create = careless_create,
                             .start = careless_start,
                             .stop = careless_stop,
                             .destroy = careless_start,
                             .inspect = careless_inspect,
                             .list = careless_list };

SP_VM_PLUGIN (&ops, .name = "careless", .version = "1.0", .summary = "breaks what it promises",
              .open = careless_open, .close = careless_close)
