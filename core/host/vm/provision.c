/* provision.c - provision.h
 *
 * What must stay true: the ready file is the last thing that appears, whole; where a step fails nothing
 * of this run stays.
 */
#include "host/vm/provision-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/option.h"
#include "base/problem.h"
#include "host/vm/http-get.h"
#include "host/vm/machine.h"
#include "host/resident/service.h"
#include "plugin/info.h"

/* A try may take an eighth of what the boot has taken so far: where all is slow an answer is, too, and
 * what gives up early leaves it more to do. */
#define SHORTEST_TRY_MS 300
#define LONGEST_TRY_MS 60000
#define TRIES 8
#define TEST_MS 10000u
#define PAUSE_US (50 * 1000)
#define DEFAULT_VM "qemu"
#define INSTANCE "agent"

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
  g_autofree char *text =
      g_strdup_printf ("[vault default]\nvm = " INSTANCE "\n[vm " INSTANCE
                       "]\nplugin = %s\nmemory = %s\ndisk-size = %s\n",
                       options->vm ? options->vm : DEFAULT_VM,
                       options->memory ? options->memory : provision->kind->memory,
                       options->disk ? options->disk : provision->kind->disk);
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

static void
name_files (Provision *provision)
{
  static const char *const names[] = { [SP_SOURCE_DISK] = SP_STAGING_DISK,
                                       [SP_SOURCE_SEED] = SP_STAGING_SEED,
                                       [SP_SOURCE_MONITOR] = SP_STAGING_MONITOR,
                                       [SP_SOURCE_PID] = SP_STAGING_PID,
                                       [SP_SOURCE_READY] = SP_STAGING_READY };

  provision->staging = g_canonicalize_filename (provision->options->staging, NULL);
  provision->state = g_build_filename (provision->staging, "plugin", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (names[i] != NULL)
      provision->paths[i] = g_build_filename (provision->staging, names[i], NULL);
}

/* Others must not be able to put something into it; the host refuses it then. */
static gboolean
make_staging (Provision *provision, GError **error)
{
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
  if (!sp_vm_probe (provision->vm, &probe, error) || !provision->kind->check (provision, error))
    return FALSE;
  *ret_message = g_strdup_printf ("%s; %s", probe.version, probe.why);
  sp_vm_probe_clear (&probe);
  return TRUE;
}

static gboolean
get_image (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  Provision *provision = data;

  return provision->kind->get_image (provision, ret_message, error);
}

static void
undo_image (gpointer data)
{
  sp_provision_discard_image (data);
}

static gboolean
make_disk (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  Provision *provision = data;

  if (!provision->kind->make_disk (provision, error))
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
  Provision *provision = data;

  return provision->kind->make_seed (provision, ret_message, ret_skipped, error);
}

static void
undo_seed (gpointer data)
{
  sp_provision_discard_seed (data);
}

static gboolean
start_machine (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  Provision *provision = data;
  ProvisionSpec spec;
  g_autoptr (GError) local = NULL;

  sp_provision_spec (provision, &spec);
  if (!sp_vm_create (provision->vm, &spec.spec, error) ||
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
  guint boot_s = provision->options->boot_s ? provision->options->boot_s : provision->kind->boot_s;
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

char *
sp_provision_ready_text (const Provision *provision, const char *image_id)
{
  return g_strdup_printf ("{\"format\":1,\"image\":\"sha256:%s\",\"port\":%u}\n", image_id,
                          provision->options->port);
}

/* Nothing is left to sync in the guest.  An appliance's root is read-only, and nothing else is written; in a
 * cloud image the seed syncs before it starts the daemon, which has answered by now: no key and no port of
 * the guest's is needed for that, so it holds whoever made the seed. */
static gboolean
signal_ready (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  Provision *provision = data;
  g_autofree char *text = sp_provision_ready_text (provision, sp_provision_image_id (provision));

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
  { 2, "image verified", get_image, undo_image, FALSE },
  { 3, "disk made", make_disk, undo_disk, FALSE },
  { 4, "cloud-init config", make_seed, undo_seed, FALSE },
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
  sp_provision_clear_image (provision);
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

/* All that can be known before anything is done. */
static gboolean
begin (Provision *provision, GError **error)
{
  g_autofree char *listen = sp_listen_text (SP_PROVISION_LOOPBACK, provision->options->port);

  provision->id = g_uuid_string_random ();
  provision->base = g_strconcat ("http://", listen, NULL);
  name_files (provision);
  return sp_provision_choose (provision, error) && make_config (provision, error);
}

gboolean
sp_provision_run (const SpProvisionOptions *options, GError **error)
{
  Provision provision = { .options = options };
  const SpStepWatch watch = { on_begin, on_report, &provision };
  gboolean undone = FALSE, ok;

  ok = begin (&provision, error) && make_staging (&provision, error) &&
       sp_steps_run (steps, G_N_ELEMENTS (steps), 1, &provision, &watch, &undone, error);
  provision_clear (&provision);
  return ok;
}

G_STATIC_ASSERT (G_N_ELEMENTS (steps) == SP_PROVISION_STEPS);

gboolean
sp_provision_plan (const SpProvisionOptions *options, SpProvisionPlan plan, gpointer data,
                   GError **error)
{
  Provision provision = { .options = options };
  gboolean ok = begin (&provision, error);

  for (gsize i = 0; ok && i < G_N_ELEMENTS (steps); i++) {
    g_autofree char *text = sp_provision_plan_step (&provision, steps[i].number, error);

    ok = text != NULL;
    if (ok)
      plan (steps[i].number, G_N_ELEMENTS (steps), steps[i].name, text, data);
  }
  provision_clear (&provision);
  return ok;
}
