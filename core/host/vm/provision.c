/* provision.c - provision.h
 *
 * What must stay true: the ready file is the last thing that appears, whole; where a step fails nothing
 * of this run stays.
 */
#include "host/vm/provision.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/option.h"
#include "base/problem.h"
#include "host/vm/http-get.h"
#include "host/appliance/image-set.h"
#include "host/vm/machine.h"
#include "host/resident/service.h"
#include "host/source/source.h"
#include "host/vm/vm-spec.h"
#include "host/vm/vm.h"
#include "plugin/info.h"

#define GUEST_PORT 3737u
#define MEMORY "128M"
#define DISK "256M"
#define LOOPBACK "127.0.0.1"
#define BOOT_S 240u
/* A try may take an eighth of what the boot has taken so far: where all is slow an answer is, too, and
 * what gives up early leaves it more to do. */
#define SHORTEST_TRY_MS 300
#define LONGEST_TRY_MS 60000
#define TRIES 8
#define TEST_MS 10000u
#define PAUSE_US (50 * 1000)
#define DEFAULT_VM "qemu"
#define INSTANCE "agent"

typedef struct {
  const SpProvisionOptions *options;
  char *staging;
  char *state; /* of the plugin host */
  char *paths[SP_SOURCE_N_FILES];
  SpPluginCatalog *catalog;
  SpConfig *config; /* one [vm] section, made of the options */
  const SpConfigInstance *instance;
  SpVmSettings *settings;
  SpImageSet *image;
  SpVm *vm;
  char *id, *cmdline, *base;
  guint try_ms; /* how long an answer may take on this machine, as far as it is known */
} Provision;

/* ---- what it begins with ------------------------------------------------------------------------------ */

/* Where the vault will keep its things is the host's choice, so no store need be installed here. */
static gboolean
describe (const char *kind, const char *plugin, const SpOption **ret_options, gsize *ret_n_options,
          gpointer catalog, GError **error)
{
  if (g_str_equal (kind, "vm"))
    return sp_plugin_catalog_describe (kind, plugin, ret_options, ret_n_options, catalog, error);
  *ret_options = NULL;
  *ret_n_options = 0;
  return TRUE;
}

static gboolean
make_config (Provision *provision, GError **error)
{
  const SpProvisionOptions *options = provision->options;
  g_autofree char *text = g_strdup_printf ("[vault default]\nvm = " INSTANCE "\n[vm " INSTANCE
                                           "]\nplugin = %s\nmemory = %s\ndisk-size = %s\n",
                                           options->vm ? options->vm : DEFAULT_VM,
                                           options->memory ? options->memory : MEMORY,
                                           options->disk ? options->disk : DISK);
  const SpConfigVault *vault;

  provision->catalog = sp_plugin_catalog_new (options->plugin_dir);
  provision->config =
      sp_config_parse ("(options)", text, strlen (text), describe, provision->catalog, error);
  vault = provision->config ? sp_config_vault (provision->config, NULL, error) : NULL;
  if (vault == NULL)
    return FALSE;
  provision->instance = vault->vm;
  provision->settings = sp_vm_settings_new (vault->vm, provision->catalog, error);
  return provision->settings != NULL;
}

/* The number in qemu.pid; 0: there is none. */
static pid_t
read_pid (const Provision *provision)
{
  g_autofree char *text = NULL;
  guint64 number = 0;

  if (g_file_get_contents (provision->paths[SP_SOURCE_PID], &text, NULL, NULL))
    (void) g_ascii_string_to_unsigned (g_strchomp (text), 10, 2, G_MAXINT, &number, NULL);
  return (pid_t) number;
}

/* Nothing that lies there is removed by itself: it may be the only copy of something. */
static gboolean
check_unused (const Provision *provision, GError **error)
{
  pid_t pid = read_pid (provision);
  g_autofree char *link = g_strdup_printf ("/proc/%d/exe", (int) pid);
  g_autofree char *program = pid != 0 ? g_file_read_link (link, NULL) : NULL;

  if (!g_file_test (provision->paths[SP_SOURCE_READY], G_FILE_TEST_EXISTS) &&
      !g_file_test (provision->paths[SP_SOURCE_PID], G_FILE_TEST_EXISTS))
    return TRUE;
  /* One that has ended, or is another user's by now, tells nothing. */
  if (program != NULL)
    g_set_error (
        error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
        "there is a vault VM in %s already, process %d: have the host take it over, or end "
        "it with 'kill %d' and remove the folder",
        provision->staging, (int) pid, (int) pid);
  else
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "in %s is what an earlier vault VM has left, which does not run any more: remove "
                 "the folder",
                 provision->staging);
  return FALSE;
}

/* Others must not be able to put something into it; the host refuses it then. */
static gboolean
make_staging (Provision *provision, GError **error)
{
  static const char *const names[] = { [SP_SOURCE_DISK] = SP_STAGING_DISK,
                                       [SP_SOURCE_MONITOR] = SP_STAGING_MONITOR,
                                       [SP_SOURCE_PID] = SP_STAGING_PID,
                                       [SP_SOURCE_READY] = SP_STAGING_READY };

  provision->staging = g_canonicalize_filename (provision->options->staging, NULL);
  provision->state = g_build_filename (provision->staging, "plugin", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (names[i] != NULL)
      provision->paths[i] = g_build_filename (provision->staging, names[i], NULL);
  if (g_mkdir_with_parents (provision->staging, 0700) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE, "cannot make the staging folder %s: %s",
                 provision->staging, g_strerror (errno));
    return FALSE;
  }
  return check_unused (provision, error);
}

/* ---- the steps ---------------------------------------------------------------------------------------- */

static void
on_progress (const char *what, gpointer data)
{
  g_printerr ("secret-proxy: %s\n", what);
}

static gboolean
check_tools (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  Provision *provision = data;
  SpVmProbe probe = { .size = sizeof probe };

  provision->vm =
      sp_vm_open (provision->instance, provision->options->plugin_dir, provision->state, error);
  if (provision->vm == NULL)
    return FALSE;
  sp_vm_set_progress (provision->vm, on_progress, NULL);
  if (!sp_vm_probe (provision->vm, &probe, error))
    return FALSE;
  *ret_message = g_strdup_printf ("%s; %s", probe.version, probe.why);
  sp_vm_probe_clear (&probe);
  return TRUE;
}

static gboolean
get_image (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  Provision *provision = data;
  /* A file of the image stands for its folder. */
  g_autofree char *dir = g_file_test (provision->options->image, G_FILE_TEST_IS_REGULAR)
                             ? g_path_get_dirname (provision->options->image)
                             : g_strdup (provision->options->image);

  provision->image = sp_image_set_open (dir, error);
  if (provision->image == NULL)
    return FALSE;
  *ret_message =
      g_strdup_printf ("%.12s…, version %s", provision->image->id, provision->image->version);
  return TRUE;
}

static gboolean
make_disk (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  Provision *provision = data;

  if (!sp_image_set_make_disk (provision->image, provision->paths[SP_SOURCE_DISK],
                               provision->settings->disk_size, error))
    return FALSE;
  *ret_message = g_strdup (provision->paths[SP_SOURCE_DISK]);
  return TRUE;
}

static void
undo_disk (gpointer data)
{
  (void) unlink (((Provision *) data)->paths[SP_SOURCE_DISK]);
}

static gboolean
make_seed (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  *ret_skipped = TRUE;
  *ret_message = g_strdup ("an appliance needs no cloud-init");
  return TRUE;
}

static void
fill_spec (Provision *provision, SpVmSpec *spec, SpVmDisk *disk, SpVmForward *forward)
{
  *disk = (SpVmDisk){ provision->paths[SP_SOURCE_DISK], "disk", SP_VM_QCOW2, FALSE };
  *forward = (SpVmForward){ LOOPBACK, provision->options->port, GUEST_PORT };
  *spec = (SpVmSpec){
    .size = sizeof *spec,
    .id = provision->id,
    .name = "agent",
    .role = SP_VM_PROVISION,
    .kernel = provision->image->kernel.path,
    .initrd = provision->image->initrd.path,
    .cmdline = provision->cmdline,
    .disks = disk,
    .n_disks = 1,
    .forwards = forward,
    .n_forwards = 1,
    .monitor = provision->paths[SP_SOURCE_MONITOR],
    .pid_file = provision->paths[SP_SOURCE_PID],
  };
  sp_vm_settings_apply (provision->settings, spec);
}

static gboolean
start_machine (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  Provision *provision = data;
  SpVmSpec spec;
  SpVmDisk disk;
  SpVmForward forward;
  g_autoptr (GError) local = NULL;

  provision->cmdline = sp_machine_cmdline (SP_DISK_ROOT_DEVICE, provision->settings);
  fill_spec (provision, &spec, &disk, &forward);
  if (!sp_vm_create (provision->vm, &spec, error) ||
      !sp_vm_start (provision->vm, provision->id, &local)) {
    if (local != NULL && sp_problem_code (local) == SP_PROBLEM_CONFLICT)
      g_prefix_error (&local, "choose another port with --port, or mend this: ");
    if (local != NULL)
      g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  *ret_message = g_strdup_printf ("monitor on %s", provision->paths[SP_SOURCE_MONITOR]);
  return TRUE;
}

static void
undo_machine (gpointer data)
{
  Provision *provision = data;

  (void) sp_vm_destroy (provision->vm, provision->id, NULL);
  (void) unlink (provision->paths[SP_SOURCE_MONITOR]);
  (void) unlink (provision->paths[SP_SOURCE_PID]);
}

static gboolean
is_running (Provision *provision, GError **error)
{
  SpVmInfo info = { .size = sizeof info };
  gboolean runs;

  if (!sp_vm_inspect (provision->vm, provision->id, &info, error))
    return FALSE;
  runs = info.state == SP_VM_RUNNING;
  if (!runs)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "the VM has ended: %s",
                 info.why ? info.why : "it did not say why");
  sp_vm_info_clear (&info);
  return runs;
}

static guint
try_after (gint64 began)
{
  gint64 ms = (g_get_monotonic_time () - began) / 1000;

  return (guint) CLAMP (ms / TRIES, SHORTEST_TRY_MS, LONGEST_TRY_MS);
}

static gboolean
wait_for_answer (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  Provision *provision = data;
  g_autofree char *url = g_strconcat (provision->base, "/health", NULL);
  guint boot_s = provision->options->boot_s ? provision->options->boot_s : BOOT_S;
  gint64 began = g_get_monotonic_time ();
  gint64 end = began + (gint64) boot_s * G_USEC_PER_SEC;
  guint status = 0;

  for (;;) {
    g_autofree char *body = NULL;
    g_autoptr (GError) local = NULL;

    provision->try_ms = try_after (began);
    if (sp_http_get (url, provision->try_ms, &status, &body, &local) && status == 200) {
      *ret_message = g_strdup (url);
      return TRUE;
    }
    if (!is_running (provision, error))
      return FALSE;
    if (g_get_monotonic_time () > end) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT,
                   "the vault has not answered for %u s: give the VM more memory, a machine with "
                   "hardware virtualisation, or more time with --boot-timeout",
                   boot_s);
      return FALSE;
    }
    g_usleep (PAUSE_US);
  }
}

/* An unowned vault says that it is there, and nothing else. */
static gboolean
test_api (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  Provision *provision = data;
  g_autofree char *health = g_strconcat (provision->base, "/health", NULL);
  g_autofree char *secrets = g_strconcat (provision->base, "/v1/secrets", NULL);
  g_autofree char *said = NULL;
  g_autofree char *refused = NULL;
  guint status = 0, refusal = 0, patience = MAX (provision->try_ms, TEST_MS);

  if (!sp_http_get (health, patience, &status, &said, error) ||
      !sp_http_get (secrets, patience, &refusal, &refused, error))
    return FALSE;
  if (status == 200 && strstr (said, "\"unowned\"") != NULL && refusal == 503) {
    *ret_message = g_strdup ("unowned: /health answers, all else is 503");
    return TRUE;
  }
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "what answers at %s is no unowned vault: is the port another program's?",
               provision->base);
  return FALSE;
}

/* The root is read-only and nothing else is written, so there is nothing to sync in the guest. */
static gboolean
signal_ready (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  Provision *provision = data;
  g_autofree char *text = g_strdup_printf ("{\"format\":1,\"image\":\"sha256:%s\",\"port\":%u}\n",
                                           provision->image->id, provision->options->port);

  if (!g_file_set_contents_full (provision->paths[SP_SOURCE_READY], text, -1,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
                                 error))
    return FALSE;
  *ret_message = g_strdup (provision->paths[SP_SOURCE_READY]);
  return TRUE;
}

static void
undo_ready (gpointer data)
{
  (void) unlink (((Provision *) data)->paths[SP_SOURCE_READY]);
}

/* In the order of the recipe. */
static const SpStep steps[] = {
  { 1, "tools and /dev/kvm checked", check_tools, NULL, FALSE },
  { 2, "image verified", get_image, NULL, FALSE },
  { 3, "disk made", make_disk, undo_disk, FALSE },
  { 4, "cloud-init config", make_seed, NULL, FALSE },
  { 5, "VM started", start_machine, undo_machine, FALSE },
  { 6, "vault answers", wait_for_answer, NULL, FALSE },
  { 7, "HTTP API tested", test_api, NULL, FALSE },
  { 8, "ready for takeover", signal_ready, undo_ready, FALSE },
};

/* ---- the whole ---------------------------------------------------------------------------------------- */

static gboolean
on_begin (const SpStep *step, gpointer data, GError **error)
{
  return TRUE;
}

static void
on_report (const SpStepReport *report, gpointer data)
{
  const Provision *provision = data;

  provision->options->report (report, G_N_ELEMENTS (steps), provision->options->data);
}

/* Where the plugin keeps nothing in it. */
static void
remove_state (const Provision *provision)
{
  g_autofree char *own = NULL;

  if (provision->state == NULL)
    return;
  own = g_build_filename (provision->state, "vm-" INSTANCE, NULL);
  (void) rmdir (own);
  (void) rmdir (provision->state);
}

static void
provision_clear (Provision *provision)
{
  sp_vm_close (provision->vm);
  remove_state (provision);
  sp_image_set_free (provision->image);
  sp_vm_settings_free (provision->settings);
  sp_config_free (provision->config);
  sp_plugin_catalog_free (provision->catalog);
  for (gsize i = 0; i < G_N_ELEMENTS (provision->paths); i++)
    g_free (provision->paths[i]);
  g_free (provision->staging);
  g_free (provision->state);
  g_free (provision->id);
  g_free (provision->cmdline);
  g_free (provision->base);
}

gboolean
sp_provision_run (const SpProvisionOptions *options, GError **error)
{
  Provision provision = { .options = options };
  const SpStepWatch watch = { on_begin, on_report, &provision };
  g_autofree char *listen = sp_listen_text (LOOPBACK, options->port);
  gboolean undone = FALSE, ok;

  provision.id = g_uuid_string_random ();
  provision.base = g_strconcat ("http://", listen, NULL);
  ok = make_config (&provision, error) && make_staging (&provision, error) &&
       sp_steps_run (steps, G_N_ELEMENTS (steps), 1, &provision, &watch, &undone, error);
  provision_clear (&provision);
  return ok;
}
