/* vm-no-inspect - leaves out a call that every vm plugin needs */
#include <secret-proxy/vm.h>

static gpointer
short_open (SpHost *host, GError **error)
{
  return host;
}

static void
short_close (gpointer self)
{
}

static gboolean
short_probe (gpointer self, SpVmProbe *ret_probe, GCancellable *cancellable, GError **error)
{
  return FALSE;
}

static gboolean
short_create (gpointer self, const SpVmSpec *spec, GCancellable *cancellable, GError **error)
{
  return FALSE;
}

static gboolean
short_start (gpointer self, const char *id, GCancellable *cancellable, GError **error)
{
  return FALSE;
}

static gboolean
short_stop (gpointer self, const char *id, gboolean force, GCancellable *cancellable,
            GError **error)
{
  return FALSE;
}

static gboolean
short_list (gpointer self, SpVmFunc each, gpointer data, GCancellable *cancellable, GError **error)
{
  return FALSE;
}

static const SpVmOps ops = { .probe = short_probe,
                             .create = short_create,
                             .start = short_start,
                             .stop = short_stop,
                             .destroy = short_start,
                             .list = short_list };

SP_VM_PLUGIN (&ops, .name = "no-inspect", .version = "1.0", .summary = "too few calls",
              .open = short_open, .close = short_close)
