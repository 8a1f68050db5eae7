/* host-calls.c - calls of the link as calls of the plugin, on the plugin's thread
 *
 * The other side is told the truth or an error: a plugin that breaks a rule of its header (a result
 * and an error, rows out of order, a batch without a result) is reported, not believed.
 */
#include "plugin/host-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bundle.h"
#include "base/option.h"
#include "base/problem.h"
#include "base/secret.h"
#include "plugin/find.h"

gboolean
sp_host_police (const char *call, gboolean ok, GError **why)
{
  g_autofree char *text = NULL;

  if (ok == (*why == NULL))
    return ok;
  if (!ok) {
    g_set_error (why, SP_ERROR, SP_ERROR_INTERNAL, "%s() failed and did not say why: a bug of it",
                 call);
    return FALSE;
  }
  text = g_strdup ((*why)->message);
  g_clear_error (why);
  g_set_error (why, SP_ERROR, SP_ERROR_INTERNAL,
               "%s() succeeded and set an error all the same, a bug of it: %s", call, text);
  return FALSE;
}

/* ---- open ------------------------------------------------------------------------------------------- */

static gboolean
make_state_dir (SpPluginHost *host, const char *kind, GError **error)
{
  g_autofree char *name = g_strdup_printf ("%s-%s", kind, host->instance);
  struct stat st;
  int fd;
  gboolean ok;

  host->state_dir = g_build_filename (host->state_root, name, NULL);
  if (mkdir (host->state_dir, 0700) != 0 && errno != EEXIST) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "cannot make the folder %s: %s",
                 host->state_dir, g_strerror (errno));
    return FALSE;
  }
  fd = open (host->state_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  ok = fd >= 0 && fstat (fd, &st) == 0 && st.st_uid == geteuid () && fchmod (fd, 0700) == 0;
  if (!ok)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "the folder %s is no folder of user %u: remove it", host->state_dir, geteuid ());
  if (fd >= 0)
    (void) close (fd);
  return ok;
}

/* @blob: a{say}. */
static gboolean
take_secrets (SpPluginHost *host, GBytes *blob, GError **error)
{
  g_autoptr (GVariant) given = NULL;
  GVariantIter iter;
  const char *key;
  GVariant *bytes;

  host->secrets =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) sp_secret_unref);
  if (blob == NULL)
    return TRUE;
  given = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE ("a{say}"), blob, FALSE));
  if (!g_variant_is_normal_form (given)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "the secrets make no sense");
    return FALSE;
  }
  g_variant_iter_init (&iter, given);
  while (g_variant_iter_loop (&iter, "{&s@ay}", &key, &bytes)) {
    gsize length;
    gconstpointer data = g_variant_get_fixed_array (bytes, &length, 1);

    g_hash_table_replace (host->secrets, g_strdup (key), sp_secret_new_from (data, length));
  }
  return TRUE;
}

/* Of the table: every required secret has come, and nothing else has. */
static gboolean
check_secrets (SpPluginHost *host, GError **error)
{
  const SpOption *options = host->module->options;
  gsize n_options = host->module->n_options;
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, host->secrets);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    const SpOption *option = sp_options_find (options, n_options, key);

    if (option == NULL || option->type != SP_OPTION_SECRET) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "there is no secret option '%s'",
                   (const char *) key);
      return FALSE;
    }
  }
  for (gsize i = 0; i < n_options; i++)
    if (options[i].type == SP_OPTION_SECRET && (options[i].flags & SP_OPTION_REQUIRED) &&
        !g_hash_table_contains (host->secrets, options[i].key)) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "the secret '%s' is not set",
                   options[i].key);
      return FALSE;
    }
  return TRUE;
}

static gboolean
load_module (SpPluginHost *host, const char *kind, const char *path, GError **error)
{
  host->module = sp_plugin_load (path, error);
  if (host->module == NULL)
    return FALSE;
  if (g_strcmp0 (sp_kind_word (host->module->plugin.kind), kind) == 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "plugin %s: it is no %s plugin", path, kind);
  return FALSE;
}

/* Where it comes from: over the link, or from whoever started this process. */
typedef struct {
  const char *kind, *path;
  GVariant *options;
  GBytes *secrets;
} Wanted;

static void
wanted_clear (Wanted *wanted)
{
  g_clear_pointer (&wanted->options, g_variant_unref);
  g_clear_pointer (&wanted->secrets, g_bytes_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Wanted, wanted_clear)

static void
find_wanted (SpPluginHost *host, const SpHostJob *job, Wanted *wanted)
{
  g_autoptr (GVariant) secrets = NULL;

  if (host->given == NULL) {
    g_variant_get (job->args, "(u&s&ss@a{ss}^as)", NULL, &wanted->kind, &wanted->path,
                   &host->instance, &wanted->options, &host->people);
    wanted->secrets = job->blob != NULL ? g_bytes_ref (job->blob) : NULL;
    return;
  }
  g_variant_get_child (job->args, 5, "^as", &host->people);
  g_variant_get (host->given, "(&s&ss@a{ss}@a{say})", &wanted->kind, &wanted->path, &host->instance,
                 &wanted->options, &secrets);
  wanted->secrets = g_variant_get_data_as_bytes (secrets);
}

static gboolean
prepare (SpPluginHost *host, const SpHostJob *job, GError **error)
{
  g_auto (Wanted) wanted = { .kind = NULL };

  if (host->module != NULL) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                         "this process has opened a plugin before");
    return FALSE;
  }
  find_wanted (host, job, &wanted);
  if (!sp_is_name (host->instance)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "the instance's name is no name");
    return FALSE;
  }
  if (!load_module (host, wanted.kind, wanted.path, error) ||
      !take_secrets (host, wanted.secrets, error) || !check_secrets (host, error))
    return FALSE;
  host->values =
      sp_options_resolve (host->module->options, host->module->n_options, wanted.options, error);
  /* Certificates take a while to read, and a store speaks with nobody. */
  if (g_str_equal (wanted.kind, sp_kind_word (SP_KIND_NOTIFIER)) && !sp_bundle_trust (error))
    return FALSE;
  return host->values != NULL && make_state_dir (host, wanted.kind, error);
}

static void
run_open (SpHostJob *job)
{
  SpPluginHost *host = job->host;
  gpointer self;

  if (!prepare (host, job, &job->error))
    return;
  self = host->module->plugin.open (&host->host, &job->error);
  if (sp_host_police ("open", self != NULL, &job->error))
    host->self = self;
  else if (self != NULL)
    host->module->plugin.close (self);
}

/* ---- start, stop ------------------------------------------------------------------------------------ */

static void
close_plugin (SpPluginHost *host)
{
  gpointer self = g_steal_pointer (&host->self);

  if (self == NULL)
    return;
  if (host->started && host->module->plugin.stop != NULL)
    host->module->plugin.stop (self);
  host->started = FALSE;
  host->module->plugin.close (self);
}

static void
run_start (SpHostJob *job)
{
  SpPluginHost *host = job->host;
  gboolean ok = TRUE;

  if (host->module->plugin.start != NULL)
    ok = host->module->plugin.start (host->self, job->cancellable, &job->error);
  host->started = sp_host_police ("start", ok, &job->error);
  if (!host->started)
    close_plugin (host);
}

static void
run_stop (SpHostJob *job)
{
  close_plugin (job->host);
}

/* ---- notifiers -------------------------------------------------------------------------------------- */

static void
run_post (SpHostJob *job)
{
  g_autoptr (GVariant) value = g_variant_get_child_value (job->args, 1);
  g_autoptr (SpNotice) notice = sp_notice_from_variant (value);
  SpPluginHost *host = job->host;

  (void) sp_host_police (
      "post", host->module->notifier.post (host->self, notice, job->cancellable, &job->error),
      &job->error);
}

static void
run_settle (SpHostJob *job)
{
  g_autoptr (GVariant) value = g_variant_get_child_value (job->args, 1);
  g_autoptr (SpNotice) notice = sp_notice_from_variant (value);
  SpOutcome outcome = { .size = sizeof outcome };
  SpPluginHost *host = job->host;

  if (host->module->notifier.settle == NULL)
    return;
  g_variant_get_child (job->args, 2, "u", &outcome.kind);
  g_variant_get_child (job->args, 3, "&s", &outcome.text);
  (void) sp_host_police (
      "settle",
      host->module->notifier.settle (host->self, notice, &outcome, job->cancellable, &job->error),
      &job->error);
}

/* ---- all -------------------------------------------------------------------------------------------- */

typedef enum { ANY_TIME, WHEN_OPEN, WHEN_STARTED } When;

static const struct {
  void (*run) (SpHostJob *job);
  When when;
  guint32 kind; /* 0: all */
} runners[SP_PLUGIN_N_CALLS] = {
  [SP_PLUGIN_OPEN] = { run_open, ANY_TIME, 0 },
  [SP_PLUGIN_START] = { run_start, WHEN_OPEN, 0 },
  [SP_PLUGIN_STOP] = { run_stop, ANY_TIME, 0 },
  [SP_PLUGIN_POST] = { run_post, WHEN_STARTED, SP_KIND_NOTIFIER },
  [SP_PLUGIN_SETTLE] = { run_settle, WHEN_STARTED, SP_KIND_NOTIFIER },
  [SP_PLUGIN_READ] = { sp_host_run_read, WHEN_STARTED, SP_KIND_STORE },
  [SP_PLUGIN_WRITE] = { sp_host_run_write, WHEN_STARTED, SP_KIND_STORE },
  [SP_PLUGIN_SCAN] = { sp_host_run_scan, WHEN_STARTED, SP_KIND_STORE },
  [SP_PLUGIN_VM_PROBE] = { sp_host_run_vm_probe, WHEN_STARTED, SP_KIND_VM },
  [SP_PLUGIN_VM_CREATE] = { sp_host_run_vm_create, WHEN_STARTED, SP_KIND_VM },
  [SP_PLUGIN_VM_START] = { sp_host_run_vm_start, WHEN_STARTED, SP_KIND_VM },
  [SP_PLUGIN_VM_STOP] = { sp_host_run_vm_stop, WHEN_STARTED, SP_KIND_VM },
  [SP_PLUGIN_VM_DESTROY] = { sp_host_run_vm_destroy, WHEN_STARTED, SP_KIND_VM },
  [SP_PLUGIN_VM_INSPECT] = { sp_host_run_vm_inspect, WHEN_STARTED, SP_KIND_VM },
  [SP_PLUGIN_VM_LIST] = { sp_host_run_vm_list, WHEN_STARTED, SP_KIND_VM },
};

static gboolean
is_ready (const SpHostJob *job)
{
  const SpPluginHost *host = job->host;
  guint32 kind = runners[job->method].kind;

  if (runners[job->method].when == ANY_TIME)
    return TRUE;
  if (host->self == NULL || (kind != 0 && kind != host->module->plugin.kind))
    return FALSE;
  return host->started == (runners[job->method].when == WHEN_STARTED);
}

/* Into the words that both sides share. */
static void
settle_error (SpHostJob *job)
{
  g_autoptr (GError) error = g_steal_pointer (&job->error);

  /* Whatever the plugin calls it: it was the deadline. */
  if (g_cancellable_is_cancelled (job->cancellable))
    g_set_error (&job->error, SP_ERROR, SP_ERROR_UNAVAILABLE, "%s: no result within %u ms: %s",
                 sp_plugin_calls[job->method].name, job->deadline_ms, error->message);
  else if (error->domain == SP_ERROR || error->domain == SP_PROBLEM)
    job->error = g_steal_pointer (&error);
  else
    g_set_error_literal (&job->error, SP_ERROR, SP_ERROR_INTERNAL, error->message);
}

void
sp_host_job_run (SpHostJob *job)
{
  if (!is_ready (job)) {
    g_set_error (&job->error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "%s: the plugin is not in a state for that", sp_plugin_calls[job->method].name);
    return;
  }
  runners[job->method].run (job);
  if (job->error != NULL)
    settle_error (job);
}
