/* local.c - local.h: the folder, the daemon, the resident process, and who starts whom again
 *
 * What must stay true: the ready line is the only thing on stdout; the port stays the same as long as
 * this process lives; when it ends, however it ends, nothing of it runs on.
 */
#include "host/local.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"
#include "host/admin-socket.h"
#include "host/daemon.h"
#include "host/ownership.h"
#include "host/resident.h"
#include "host/unlock.h"
#include "plugin/info.h"
#include "sp-build.h"

#define TRUST "local"
#define ACCELERATION "none"
#define CONFIG "secret-proxy.conf"
#define STATE "state"
#define FIRST_BACKOFF_MS 100u
#define LAST_BACKOFF_MS 5000u
#define HEALTHY_US (60 * G_USEC_PER_SEC)

static const char built_in[] = "[vault default]\n"
                               "store = sqlite\n"
                               "tls = optional\n"
                               "listen = 127.0.0.1:3737\n";

typedef struct {
  char *path; /* absolute */
  int folder, lock;
  char *state, *plugin_dir;
  SpPluginCatalog *catalog;
  SpConfig *config;
  const SpConfigVault *vault;
  SpHostKeys *keys;
  char *statement, *signature;
  SpAnchor *anchor;
  SpResident *resident;
  SpDaemon *daemon;
  char *listen; /* with the port that it really has, once it is known */
  char *url;
  gint64 started_us;
  guint backoff_ms;
  guint again; /* source: start or unlock again */
  gboolean ready, stopping;
  GMainLoop *loop;
  GError *error;
} Local;

static void
local_free (Local *local)
{
  if (local->again != 0)
    g_source_remove (local->again);
  sp_daemon_free (local->daemon);
  sp_resident_free (local->resident);
  sp_anchor_free (local->anchor);
  sp_host_keys_free (local->keys);
  sp_config_free (local->config);
  sp_plugin_catalog_free (local->catalog);
  if (local->lock >= 0)
    (void) close (local->lock);
  if (local->folder >= 0)
    (void) close (local->folder);
  g_clear_pointer (&local->loop, g_main_loop_unref);
  g_clear_error (&local->error);
  g_free (local->path);
  g_free (local->state);
  g_free (local->plugin_dir);
  g_free (local->statement);
  g_free (local->signature);
  g_free (local->listen);
  g_free (local->url);
  g_free (local);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Local, local_free)

/* ---- what it begins with -------------------------------------------------------------------------- */

static SpConfig *
read_config (Local *local, const char *given, GError **error)
{
  g_autofree char *own = g_build_filename (local->path, CONFIG, NULL);
  const char *path = given ? given : own;

  if (given == NULL && access (own, F_OK) != 0)
    return sp_config_parse ("(built in)", built_in, strlen (built_in), sp_plugin_catalog_describe,
                            local->catalog, error);
  return sp_config_read (path, sp_plugin_catalog_describe, local->catalog, error);
}

static gboolean
open_config (Local *local, const SpLocalOptions *options, GError **error)
{
  const char *const *warnings;

  local->plugin_dir =
      options->plugin_dir ? g_canonicalize_filename (options->plugin_dir, NULL) : NULL;
  local->catalog = sp_plugin_catalog_new (local->plugin_dir);
  local->config = read_config (local, options->config, error);
  if (local->config == NULL)
    return FALSE;
  for (warnings = sp_config_warnings (local->config); *warnings != NULL; warnings++)
    g_printerr ("secret-proxy: %s\n", *warnings);
  local->vault = sp_config_vault (local->config, options->vault, error);
  return local->vault != NULL;
}

static char *
listen_address (const char *host, int port)
{
  gboolean bare_v6 = strchr (host, ':') != NULL && *host != '[';

  return g_strdup_printf (bare_v6 ? "[%s]:%d" : "%s:%d", host, port);
}

static gboolean
open_folder (Local *local, const char *dir, GError **error)
{
  local->path = g_canonicalize_filename (dir, NULL);
  local->folder = sp_file_open_folder (local->path, error);
  if (local->folder < 0)
    return FALSE;
  local->lock = sp_admin_lock (local->folder, error);
  if (local->lock < 0)
    return FALSE;
  local->state = g_build_filename (local->path, STATE, NULL);
  if (mkdirat (local->folder, STATE, 0700) == 0 || errno == EEXIST)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make %s: %s", local->state,
               g_strerror (errno));
  return FALSE;
}

static gboolean
open_keys (Local *local, GError **error)
{
  g_autofree char *approvers = sp_ownership_approvers (sp_config_approvers (local->config));

  local->keys = sp_host_keys_open (local->folder, local->vault->master_key, error);
  if (local->keys == NULL)
    return FALSE;
  local->anchor = sp_anchor_open (local->folder, error);
  if (local->anchor == NULL)
    return FALSE;
  local->statement = sp_ownership_statement (local->keys, TRUST, ACCELERATION, approvers);
  local->signature = sp_ownership_sign (local->keys, local->statement, error);
  return local->signature != NULL;
}

/* ---- what the resident process asks for --------------------------------------------------------------- */

static SpRpcMessage *
unlock_message (const char *id, gpointer data, GError **error)
{
  Local *local = data;
  const SpUnlock unlock = {
    .config = local->config,
    .vault = local->vault,
    .keys = local->keys,
    .anchor = local->anchor,
    .trust = TRUST,
    .tls_required = local->vault->tls_given && local->vault->tls_required,
    .statement = local->statement,
    .signature = local->signature,
  };

  return sp_unlock_message (&unlock, id, error);
}

static JsonNode *
node_of (JsonObject *object)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);

  json_node_take_object (node, object);
  return node;
}

static JsonNode *
endpoint (gpointer data, GError **error)
{
  Local *local = data;
  JsonObject *object;

  if (local->url == NULL) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_LOCKED, "the vault is starting: try again");
    return NULL;
  }
  object = json_object_new ();
  json_object_set_string_member (object, "url", local->url);
  json_object_set_string_member (object, "tls_pin", local->keys->tls_pin);
  json_object_set_string_member (object, "owner_key", local->keys->host_public);
  return node_of (object);
}

static JsonNode *
ownership (gpointer data, GError **error)
{
  Local *local = data;
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "statement", local->statement);
  json_object_set_string_member (object, "signature", local->signature);
  return node_of (object);
}

static void
print_ready (Local *local)
{
  g_autofree char *admin = g_build_filename (local->path, SP_ADMIN_SOCKET, NULL);
  JsonObject *object = json_object_new ();
  g_autoptr (JsonNode) node = node_of (object);
  g_autofree char *text = NULL;

  json_object_set_boolean_member (object, "ready", TRUE);
  json_object_set_string_member (object, "url", local->url);
  json_object_set_string_member (object, "tls_pin", local->keys->tls_pin);
  json_object_set_string_member (object, "admin", admin);
  json_object_set_int_member (object, "pid", getpid ());
  text = json_to_string (node, FALSE);
  (void) printf ("%s\n", text);
  (void) fflush (stdout);
}

static void
on_unlocked (gpointer data)
{
  Local *local = data;

  if (local->ready) {
    g_printerr ("secret-proxy: the vault is unlocked again\n");
    return;
  }
  local->ready = TRUE;
  print_ready (local);
}

/* ---- trying again ------------------------------------------------------------------------------------------ */

static void
finish (Local *local, const GError *error)
{
  if (local->error == NULL && error != NULL)
    local->error = g_error_copy (error);
  local->stopping = TRUE;
  if (local->again != 0)
    g_source_remove (local->again);
  local->again = 0;
  if (local->daemon != NULL)
    sp_daemon_stop (local->daemon);
  else
    g_main_loop_quit (local->loop);
}

static void
try_later (Local *local, GSourceFunc func)
{
  if (local->stopping)
    return;
  if (local->again != 0)
    g_source_remove (local->again);
  local->again = g_timeout_add (local->backoff_ms, func, local);
  local->backoff_ms = MIN (local->backoff_ms * 2, LAST_BACKOFF_MS);
}

static gboolean
unlock_again (gpointer data)
{
  Local *local = data;

  local->again = 0;
  sp_resident_unlock (local->resident);
  return G_SOURCE_REMOVE;
}

/* What another try may mend.  A store that fails may recover, but one that never worked is the
 * administrator's to mend. */
static gboolean
may_pass (Local *local, const GError *error)
{
  SpProblemCode code = sp_problem_code (error);

  return code == SP_PROBLEM_UNREACHABLE || code == SP_PROBLEM_TIMED_OUT ||
         (local->ready && code != SP_PROBLEM_INTEGRITY);
}

static void
on_refused (const GError *error, gpointer data)
{
  Local *local = data;

  if (local->stopping)
    return;
  if (!may_pass (local, error)) {
    g_autoptr (GError) final = g_error_copy (error);

    g_prefix_error (&final, "cannot unlock the vault: ");
    finish (local, final);
    return;
  }
  g_printerr ("secret-proxy: cannot unlock the vault: %s; trying again\n", error->message);
  try_later (local, unlock_again);
}

/* ---- the daemon ----------------------------------------------------------------------------------------------- */

static void
on_listening (const char *address, guint16 port, int fd, gpointer data)
{
  Local *local = data;

  g_free (local->listen);
  local->listen = g_strdup_printf ("%s:%u", address, port);
  g_free (local->url);
  local->url = g_strdup_printf ("https://%s", local->listen);
  sp_resident_attach (local->resident, fd);
}

static gboolean start_again (gpointer data);

static void
on_daemon_ended (const GError *error, gpointer data)
{
  Local *local = data;

  g_clear_pointer (&local->daemon, sp_daemon_free);
  sp_resident_detach (local->resident);
  if (local->stopping || !local->ready) {
    if (!local->stopping)
      local->error = g_error_copy (error);
    g_main_loop_quit (local->loop);
    return;
  }
  if (g_get_monotonic_time () - local->started_us > HEALTHY_US)
    local->backoff_ms = FIRST_BACKOFF_MS;
  g_printerr ("secret-proxy: %s; starting it again\n", error->message);
  try_later (local, start_again);
}

static gboolean
start (Local *local, GError **error)
{
  static const SpDaemonEvents events = { on_listening, on_daemon_ended };
  const SpDaemonSetup setup = { local->listen, local->state };

  local->started_us = g_get_monotonic_time ();
  local->daemon = sp_daemon_start (&setup, &events, local, error);
  return local->daemon != NULL;
}

static gboolean
start_again (gpointer data)
{
  Local *local = data;
  g_autoptr (GError) error = NULL;

  local->again = 0;
  if (!start (local, &error)) {
    g_printerr ("secret-proxy: %s\n", error->message);
    try_later (local, start_again);
  }
  return G_SOURCE_REMOVE;
}

static gboolean
on_signal (gpointer data)
{
  finish (data, NULL);
  return G_SOURCE_CONTINUE;
}

/* ---- the whole ---------------------------------------------------------------------------------------------------- */

static gboolean
prepare (Local *local, const SpLocalOptions *options, GError **error)
{
  static const SpResidentEvents events = { unlock_message, on_unlocked, on_refused, endpoint,
                                           ownership };
  int listener;

  if (!open_folder (local, options->dir, error) || !open_config (local, options, error) ||
      !open_keys (local, error))
    return FALSE;
  local->listen = listen_address (local->vault->listen_host,
                                  options->port >= 0 ? options->port : local->vault->listen_port);
  local->resident = sp_resident_new (&events, local->anchor, local);
  listener = sp_admin_listen (local->folder, error);
  if (listener < 0)
    return FALSE;
  sp_resident_listen (local->resident, listener);
  return TRUE;
}

static void
run_loop (Local *local)
{
  static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
  guint sources[G_N_ELEMENTS (signals)];

  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    sources[i] = g_unix_signal_add (signals[i], on_signal, local);
  if (start (local, &local->error))
    g_main_loop_run (local->loop);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    g_source_remove (sources[i]);
  sp_admin_unlink (local->folder);
}

/* No core dump, and no other process of this user reads our memory. */
static void
keep_keys_in_memory (void)
{
  const struct rlimit none = { 0, 0 };

  (void) setrlimit (RLIMIT_CORE, &none);
  if (SP_NOT_DUMPABLE)
    (void) prctl (PR_SET_DUMPABLE, 0);
}

gboolean
sp_local_run (const SpLocalOptions *options, GError **error)
{
  g_autoptr (Local) local = g_new0 (Local, 1);

  local->folder = local->lock = -1;
  local->backoff_ms = FIRST_BACKOFF_MS;
  local->loop = g_main_loop_new (NULL, FALSE);
  keep_keys_in_memory ();
  if (!prepare (local, options, error))
    return FALSE;
  g_printerr ("secret-proxy: nothing isolates this vault from other programs of this user "
              "(trust: " TRUST "): use it for trying and for tests\n");
  run_loop (local);
  if (local->error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local->error));
  return FALSE;
}
