/* vm-paper - machines that exist on paper only: keeps every rule, for tests of what surrounds it
 *
 * What create() was given comes back from inspect(), in the place of the address.
 */
#include <string.h>

#include <secret-proxy/vm.h>

typedef struct {
  SpHost *host;
  char *id;
  char *told; /* the specification, written out */
  guint32 state;
} Paper;

static gpointer
paper_open (SpHost *host, GError **error)
{
  Paper *paper = g_new0 (Paper, 1);

  paper->host = host;
  return paper;
}

static void
paper_close (gpointer self)
{
  Paper *paper = self;

  g_free (paper->id);
  g_free (paper->told);
  g_free (paper);
}

static gboolean
paper_probe (gpointer self, SpVmProbe *ret_probe, GCancellable *cancellable, GError **error)
{
  ret_probe->acceleration = SP_VM_EMULATED;
  ret_probe->why = g_strdup ("paper is patient");
  ret_probe->version = g_strdup ("paper 1");
  return TRUE;
}

static gboolean
paper_create (gpointer self, const SpVmSpec *spec, GCancellable *cancellable, GError **error)
{
  Paper *paper = self;

  g_free (paper->id);
  g_free (paper->told);
  paper->id = g_strdup (spec->id);
  paper->told = g_strdup_printf (
      "%u %s %s %s %s disk %s %s %u %u of %u, %" G_GUINT64_FORMAT " %u %u %u %s %s "
      "forward %s %u %u of %u, %s %s %" G_GUINT64_FORMAT " %s %s",
      spec->role, spec->name, spec->kernel, spec->initrd, spec->cmdline, spec->disks[0].path,
      spec->disks[0].name, spec->disks[0].format, spec->disks[0].read_only, (guint) spec->n_disks,
      spec->memory, spec->cpus, spec->acceleration, spec->network,
      spec->bridge != NULL ? spec->bridge : "-", spec->mac != NULL ? spec->mac : "-",
      spec->forwards[0].address, spec->forwards[0].port, spec->forwards[0].guest_port,
      (guint) spec->n_forwards, spec->admin_socket, spec->log, spec->log_limit,
      spec->monitor != NULL ? spec->monitor : "-", spec->pid_file != NULL ? spec->pid_file : "-");
  paper->state = SP_VM_STOPPED;
  return TRUE;
}

static gboolean
is_known (Paper *paper, const char *id, GError **error)
{
  if (g_strcmp0 (paper->id, id) == 0)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_NOT_FOUND, "there is no machine %s", id);
  return FALSE;
}

static gboolean
paper_start (gpointer self, const char *id, GCancellable *cancellable, GError **error)
{
  Paper *paper = self;

  if (!is_known (paper, id, error))
    return FALSE;
  paper->host->api->progress (paper->host, "unfolding");
  paper->state = SP_VM_RUNNING;
  paper->host->api->vm_changed (paper->host, id);
  return TRUE;
}

static gboolean
paper_stop (gpointer self, const char *id, gboolean force, GCancellable *cancellable,
            GError **error)
{
  Paper *paper = self;

  if (!is_known (paper, id, error))
    return FALSE;
  paper->state = force ? SP_VM_FAILED : SP_VM_STOPPED;
  return TRUE;
}

static gboolean
paper_destroy (gpointer self, const char *id, GCancellable *cancellable, GError **error)
{
  Paper *paper = self;

  if (g_strcmp0 (paper->id, id) == 0)
    g_clear_pointer (&paper->id, g_free);
  return TRUE;
}

static gboolean
paper_inspect (gpointer self, const char *id, SpVmInfo *ret_info, GCancellable *cancellable,
               GError **error)
{
  const Paper *paper = self;

  ret_info->state = g_strcmp0 (paper->id, id) == 0 ? paper->state : (guint32) SP_VM_ABSENT;
  if (ret_info->state == SP_VM_ABSENT)
    return TRUE;
  ret_info->address = g_strdup (paper->told);
  ret_info->why = ret_info->state == SP_VM_FAILED ? g_strdup ("it was torn") : NULL;
  ret_info->pid = 42;
  return TRUE;
}

static gboolean
paper_list (gpointer self, SpVmFunc each, gpointer data, GCancellable *cancellable, GError **error)
{
  const Paper *paper = self;

  if (paper->id != NULL)
    (void) each (paper->id, paper->state, data);
  return TRUE;
}

static const SpVmOps ops = { .probe = paper_probe,
                             .create = paper_create,
                             .start = paper_start,
                             .stop = paper_stop,
                             .destroy = paper_destroy,
                             .inspect = paper_inspect,
                             .list = paper_list };

SP_VM_PLUGIN (&ops, .name = "paper", .version = "1.0", .summary = "machines on paper",
              .open = paper_open, .close = paper_close)
