/* vm-run.c - vm-run.h: a machine as the backend of a service
 *
 * The plugin host of the vm plugin is a child of this process, and the machine is a child of that.  All
 * calls to it queue, so a plugin host that had to be started again gets them in order.
 *
 * What must stay true: the vault is told its keys only over the channel of a machine that this process
 * started from files that it hashed.
 */
#include "host/vm/vm-run.h"

#include <errno.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/resident/admin-socket.h"
#include "host/vm/boot-image.h"
#include "host/vm/last-line.h"
#include "host/vm/settle.h"
#include "host/vm/machine.h"
#include "host/vm/maintenance.h"
#include "host/appliance/plugin-disk.h"
#include "host/resident/ready-line.h"
#include "host/resident/service.h"
#include "host/vm/vm.h"
#include "plugin/client.h"

/* A guest under emulation on a busy machine takes its time; a distribution's, which sets itself up at its
 * first boot, more of it. */
#define ANSWER_MS 180000u
#define CLOUD_ANSWER_MS 900000u

typedef struct {
  SpService *service;
  SpVaultRecord *record;
  SpVmSettings *settings;
  SpBootImage image;
  SpMachine *machine;
  char *disk, *disk_sha256; /* the plugin disk */
  char *console;            /* its log, which has what earlier runs said, too: */
  goffset console_mark;     /* where this run's begins */
  GHashTable *on_disk;      /* what is on it */
  gboolean again;           /* it was started before */
  gboolean maintenance;
  guint moves; /* to other ports for it */
  SpPluginProcess *plugin;
  guint acceleration;
  const char *state; /* for people: "stopped", "starting", "running", "stopping" */
  guint timer;       /* until it must have answered, or must have ended */
  gboolean up;       /* started, and its end was not told yet */
  GError *why;       /* it is being ended because of this */
  char *last;        /* why it ended last; NULL: it has not */
} Run;

static const char *const acceleration_words[] = {
  [SP_VM_NONE] = "none", [SP_VM_KVM] = "kvm", [SP_VM_EMULATED] = "emulation"
};

static const char *
acceleration_of (const Run *run)
{
  return run->acceleration < G_N_ELEMENTS (acceleration_words)
             ? acceleration_words[run->acceleration]
             : "unknown";
}

static SpPluginClient *
client_of (const Run *run)
{
  return sp_plugin_process_client (run->plugin);
}

/* ---- the end ---------------------------------------------------------------------------------------- */

static void
ended (Run *run, const GError *error)
{
  g_clear_handle_id (&run->timer, g_source_remove);
  run->state = "stopped";
  run->up = FALSE;
  g_free (run->last);
  run->last = error ? g_strdup (error->message) : NULL;
  sp_service_ended (run->service, error);
}

static void
on_destroyed (const GError *error, gpointer data)
{
  Run *run = data;
  g_autoptr (GError) why = g_steal_pointer (&run->why);

  ended (run, why != NULL ? why : error);
}

/* Where it never got as far as the keeper, the console may know why. */
static void
add_console (Run *run)
{
  g_autofree char *line = sp_last_line (run->console, run->console_mark, "secret-proxy: ");
  GError *with_line;

  if (line == NULL)
    return;
  with_line = g_error_new (run->why->domain, run->why->code, "%s; its console ends with \"%s\"",
                           run->why->message, line);
  g_error_free (run->why);
  run->why = with_line;
}

/* End what is left of the machine; then it is told that it has ended, because of @why. */
static void
give_up (Run *run, const GError *why)
{
  run->up = FALSE;
  /* What is still open when the plugin host is let go is answered, too. */
  if (run->plugin == NULL)
    return;
  g_clear_error (&run->why);
  run->why =
      why ? g_error_copy (why)
          : g_error_new_literal (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "the machine has ended");
  if (!sp_service_is_unlocked (run->service) && !sp_service_is_stopping (run->service))
    add_console (run);
  sp_plugin_client_vm_destroy (client_of (run), run->record->machine, on_destroyed, run);
}

static void
on_stopped (const GError *error, gpointer data)
{
  if (error != NULL)
    g_printerr ("secret-proxy: the machine did not end by itself and was ended: %s\n",
                error->message);
  give_up (data, NULL);
}

/* The guest powers off by itself once the keeper has ended everything. */
static void
stop (gpointer data)
{
  Run *run = data;

  /* A guest that is still booting hears nobody. */
  gboolean force = !sp_service_is_unlocked (run->service);

  run->state = "stopping";
  g_clear_handle_id (&run->timer, g_source_remove);
  sp_service_shut_down (run->service);
  sp_plugin_client_vm_stop (client_of (run), run->record->machine, force, on_stopped, run);
}

/* ---- the start -------------------------------------------------------------------------------------- */

static gboolean
on_no_answer (gpointer data)
{
  Run *run = data;
  g_autoptr (GError) error =
      g_error_new (SP_PROBLEM, SP_PROBLEM_TIMED_OUT,
                   "the machine runs but its daemon does not answer: see 'secret-proxy vm log'");

  run->timer = 0;
  sp_service_detach (run->service);
  give_up (run, error);
  return G_SOURCE_REMOVE;
}

static void
attach (Run *run, const SpVmInfo *info)
{
  g_autoptr (JsonObject) measurement = sp_machine_measure (run->machine);
  const SpServiceClaim claim = { run->record->trust, acceleration_of (run), measurement,
                                 run->record->image, run->record->index,    run->maintenance };
  g_autoptr (GError) error = NULL;
  int fd;

  if (!sp_service_claim (run->service, &claim, &error)) {
    give_up (run, error);
    return;
  }
  fd = sp_socket_connect (sp_service_folder (run->service), SP_VAULT_CHANNEL);
  if (fd < 0) {
    error = g_error_new (SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
                         "cannot reach the machine's admin channel: %s", g_strerror (errno));
    give_up (run, error);
    return;
  }
  run->state = "running";
  run->timer = g_timeout_add (run->record->base ? CLOUD_ANSWER_MS : ANSWER_MS, on_no_answer, run);
  sp_service_attach (run->service, fd, sp_machine_url (run->machine));
}

static GError *
why_not_running (const SpVmInfo *info, const GError *error)
{
  const char *why = info != NULL && info->state == SP_VM_PAUSED
                        ? "another program had paused it, so it was ended"
                        : "it powered off by itself; 'secret-proxy vm log' may say why";

  if (error != NULL)
    return g_error_copy (error);
  return g_error_new (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "the machine has ended: %s",
                      info->why ? info->why : why);
}

static void
on_inspected (const SpVmInfo *info, const GError *error, gpointer data)
{
  Run *run = data;
  g_autoptr (GError) why = NULL;

  if (sp_service_is_stopping (run->service))
    return;
  if (error == NULL && info->state == SP_VM_RUNNING) {
    run->acceleration = info->acceleration;
    attach (run, info);
    return;
  }
  why = why_not_running (info, error);
  give_up (run, why);
}

static void on_moved (const GError *error, gpointer data);

/* After a step of the start.  FALSE: it failed, which is told, or is tried again; or a stop has come in between. */
static gboolean
goes_on (Run *run, const GError *error)
{
  if (sp_service_is_stopping (run->service))
    return FALSE;
  if (error != NULL && sp_maintenance_move (run->machine, &run->moves)) {
    sp_plugin_client_vm_destroy (client_of (run), run->record->machine, on_moved, run);
    return FALSE;
  }
  if (error != NULL)
    ended (run, error);
  return error == NULL;
}

static void
on_started (const GError *error, gpointer data)
{
  Run *run = data;

  if (!goes_on (run, error))
    return;
  run->up = TRUE;
  sp_plugin_client_vm_inspect (client_of (run), run->record->machine, on_inspected, run);
}

static void
on_created (const GError *error, gpointer data)
{
  Run *run = data;

  if (!goes_on (run, error))
    return;
  sp_plugin_client_vm_start (client_of (run), run->record->machine, on_started, run);
}

static void
create (Run *run)
{
  sp_plugin_client_vm_create (client_of (run), sp_machine_spec (run->machine), on_created, run);
}

static void
on_moved (const GError *error, gpointer data)
{
  Run *run = data;

  if (goes_on (run, error))
    create (run);
}

/* It opens them by their names again, so they are hashed again. */
static gboolean
check_files (Run *run, GError **error)
{
  return sp_boot_image_open (&run->image, run->record, error) &&
         sp_plugin_disk_check (run->disk, run->disk_sha256, error);
}

static gboolean
start (gpointer data, GError **error)
{
  Run *run = data;

  if (run->again && !check_files (run, error))
    return FALSE;
  run->again = TRUE;
  run->state = "starting";
  run->console_mark = sp_last_line_mark (run->console);
  create (run);
  return TRUE;
}

/* ---- what happens to it by itself ------------------------------------------------------------------- */

static void
on_looked (const SpVmInfo *info, const GError *error, gpointer data)
{
  Run *run = data;
  g_autoptr (GError) why = NULL;

  if (!run->up || sp_service_is_stopping (run->service) ||
      (error == NULL && info->state == SP_VM_RUNNING))
    return;
  why = why_not_running (info, error);
  give_up (run, why);
}

static void
on_changed (const char *id, gpointer data)
{
  Run *run = data;

  if (run->up)
    sp_plugin_client_vm_inspect (client_of (run), run->record->machine, on_looked, run);
}

/* The plugin host is gone, and the machine with it. */
static void
on_plugin_changed (gpointer data)
{
  Run *run = data;
  const SpPluginClient *client = client_of (run);
  SpPluginState state = sp_plugin_client_state (client);
  g_autoptr (GError) error = NULL;

  if (!run->up || (state != SP_PLUGIN_DOWN && state != SP_PLUGIN_FAILED) ||
      sp_service_is_stopping (run->service))
    return;
  error = g_error_new (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "the vm plugin has ended: %s",
                       sp_plugin_client_why (client));
  ended (run, error);
}

static JsonObject *
describe (gpointer data)
{
  Run *run = data;
  JsonObject *object = json_object_new ();
  JsonArray *plugins = json_array_new ();

  json_object_set_string_member (object, "state", run->state);
  json_object_set_string_member (object, "acceleration", acceleration_of (run));
  json_object_set_string_member (object, "trust", run->record->trust);
  json_object_set_string_member (object, "image", run->record->image);
  if (run->last != NULL)
    json_object_set_string_member (object, "why", run->last);
  if (run->maintenance) {
    json_object_set_boolean_member (object, "maintenance", TRUE);
    json_object_set_string_member (object, "ssh", sp_machine_ssh (run->machine));
  }
  json_object_set_int_member (object, "pid", getpid ());
  json_array_add_object_element (plugins, sp_plugin_client_to_json (client_of (run)));
  json_object_set_array_member (object, "plugins", plugins);
  return object;
}

static void
on_unlocked (gboolean again, gpointer data)
{
  Run *run = data;

  g_clear_handle_id (&run->timer, g_source_remove);
  /* It has set itself up, and what it was told for that has secrets in it. */
  if (run->record->base != NULL) {
    (void) unlinkat (sp_service_folder (run->service), SP_VAULT_SEED, 0);
    sp_machine_drop_seed (run->machine);
  }
  if (!again)
    sp_ready_line (run->service, acceleration_of (run));
}

static gboolean
map (const SpConfigInstance *instance, char **ret_path, GVariant **ret_options, gpointer data,
     GError **error)
{
  Run *run = data;

  return sp_plugin_disk_map (instance, sp_service_catalog (run->service), ret_path, ret_options,
                             error);
}

static gboolean
fits (const SpConfigInstance *instance, SpPluginCatalog *catalog, char **ret_key, gpointer data)
{
  return sp_plugin_disk_fits (((Run *) data)->on_disk, instance, catalog, ret_key);
}

static const SpServiceBackend backend = { .start = start,
                                          .stop = stop,
                                          .map = map,
                                          .fits = fits,
                                          .describe = describe,
                                          .unlocked = on_unlocked };

/* ---- the whole -------------------------------------------------------------------------------------- */

static gboolean
open_plugin (Run *run, const SpConfigVault *vault, GError **error)
{
  static const SpPluginProcessEvents events = { .state_changed = on_plugin_changed,
                                                .vm_changed = on_changed };
  g_autofree char *state =
      g_build_filename (sp_service_path (run->service), SP_VAULT_MACHINE, NULL);

  run->plugin = sp_vm_process_new (vault->vm, sp_service_plugin_dir (run->service), state, &events,
                                   run, error);
  return run->plugin != NULL;
}

/* What boots; the data volume becomes larger, and the plugin disk is built. */
static gboolean
prepare_files (Run *run, GError **error)
{
  const SpConfigVault *vault = sp_service_vault (run->service);
  g_autofree char *volume = g_build_filename (sp_service_path (run->service), SP_VAULT_DATA, NULL);

  run->settings = sp_vm_settings_new (vault->vm, sp_service_catalog (run->service), error);
  return run->settings != NULL && sp_boot_image_open (&run->image, run->record, error) &&
         sp_data_volume_grow (volume, run->settings->disk_size, error) &&
         sp_plugin_disk_build (vault, sp_service_catalog (run->service), run->disk, &run->on_disk,
                               &run->disk_sha256, error);
}

static gboolean
has_seed (const Run *run)
{
  return run->record->base != NULL &&
         faccessat (sp_service_folder (run->service), SP_VAULT_SEED, F_OK, 0) == 0;
}

static gboolean
prepare (Run *run, GError **error)
{
  const SpConfigVault *vault = sp_service_vault (run->service);
  SpMachineSetup setup = { .folder = sp_service_path (run->service), .vault = vault };

  run->disk = g_build_filename (setup.folder, SP_VAULT_PLUGINS, NULL);
  run->console = g_build_filename (setup.folder, SP_VAULT_CONSOLE, NULL);
  if (vault->vm == NULL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "[vault %s] names no vm plugin: set vm = …",
                 vault->name);
    return FALSE;
  }
  run->record = sp_vault_record_read (sp_service_folder (run->service), error);
  if (run->record == NULL ||
      !sp_maintenance_prepare (sp_service_folder (run->service), run->record, run->maintenance,
                               &setup.ssh_port, error) ||
      !prepare_files (run, error))
    return FALSE;
  setup.settings = run->settings;
  setup.image = run->image.set;
  setup.container = run->record->container ? &run->image.container : NULL;
  setup.plugins_sha256 = run->disk_sha256;
  setup.seed = has_seed (run);
  setup.maintenance = run->maintenance;
  run->machine = sp_machine_new (run->record, &setup, error);
  return run->machine != NULL && open_plugin (run, vault, error);
}

gboolean
sp_vm_run (const SpVmRunOptions *options, GError **error)
{
  const SpServiceSetup setup = { .dir = options->dir,
                                 .config = options->config,
                                 .vault = options->vault,
                                 .plugin_dir = options->plugin_dir };
  Run run = { .state = "stopped", .maintenance = options->maintenance };
  gboolean ok;

  run.service = sp_vault_settle (options->dir, error)
                    ? sp_service_open (&setup, &backend, &run, error)
                    : NULL;
  ok = run.service != NULL && prepare (&run, error) && sp_service_run (run.service, error);
  g_clear_pointer (&run.plugin, sp_plugin_process_free);
  g_clear_error (&run.why);
  g_free (run.last);
  g_free (run.disk);
  g_free (run.console);
  g_free (run.disk_sha256);
  g_clear_pointer (&run.on_disk, g_hash_table_unref);
  sp_service_free (run.service);
  sp_machine_free (run.machine);
  sp_vm_settings_free (run.settings);
  sp_boot_image_clear (&run.image);
  sp_vault_record_free (run.record);
  return ok;
}
