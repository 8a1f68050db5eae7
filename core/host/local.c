/* local.c - local.h: a daemon beside this process as the backend of a service
 *
 * What must stay true: the ready line is the only thing on stdout; the port stays the same as long as
 * this process lives.
 */
#include "host/local.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/problem.h"
#include "host/admin-socket.h"
#include "host/daemon.h"
#include "host/service.h"

#define TRUST "local"
#define ACCELERATION "none"
#define STATE "state"

static const char built_in[] = "[vault default]\n"
                               "store = sqlite\n"
                               "tls = optional\n"
                               "listen = 127.0.0.1:3737\n";

typedef struct {
  SpService *service;
  SpDaemon *daemon;
  char *state;
  char *listen; /* with the port that it really has, once it is known */
} Local;

static void
print_ready (Local *local)
{
  const SpHostKeys *keys = sp_service_keys (local->service);
  g_autofree char *admin =
      g_build_filename (sp_service_path (local->service), SP_ADMIN_SOCKET, NULL);
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  g_autofree char *text = NULL;

  json_node_take_object (node, object);
  json_object_set_boolean_member (object, "ready", TRUE);
  json_object_set_string_member (object, "url", sp_service_url (local->service));
  json_object_set_string_member (object, "tls_pin", keys->tls_pin);
  json_object_set_string_member (object, "admin", admin);
  json_object_set_int_member (object, "pid", getpid ());
  text = sp_json_text (node);
  (void) printf ("%s\n", text);
  (void) fflush (stdout);
}

static void
on_unlocked (gboolean again, gpointer data)
{
  if (!again)
    print_ready (data);
}

static void
on_listening (const char *address, guint16 port, int fd, gpointer data)
{
  Local *local = data;
  g_autofree char *url = NULL;

  g_free (local->listen);
  local->listen = g_strdup_printf ("%s:%u", address, port);
  url = g_strdup_printf ("https://%s", local->listen);
  sp_service_attach (local->service, fd, url);
}

static void
on_daemon_ended (const GError *error, gpointer data)
{
  Local *local = data;

  g_clear_pointer (&local->daemon, sp_daemon_free);
  sp_service_ended (local->service, FALSE, error);
}

static gboolean
start (gpointer data, GError **error)
{
  static const SpDaemonEvents events = { on_listening, on_daemon_ended };
  Local *local = data;
  const SpDaemonSetup setup = { local->listen, local->state };

  local->daemon = sp_daemon_start (&setup, &events, local, error);
  return local->daemon != NULL;
}

static void
stop (gpointer data)
{
  sp_daemon_stop (((Local *) data)->daemon);
}

static const SpServiceBackend backend = { .start = start, .stop = stop, .unlocked = on_unlocked };

static gboolean
prepare (Local *local, int port, GError **error)
{
  const SpServiceClaim claim = { TRUST, ACCELERATION, NULL };
  const SpConfigVault *vault = sp_service_vault (local->service);

  local->state = g_build_filename (sp_service_path (local->service), STATE, NULL);
  if (mkdirat (sp_service_folder (local->service), STATE, 0700) != 0 && errno != EEXIST) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make %s: %s", local->state,
                 g_strerror (errno));
    return FALSE;
  }
  local->listen = sp_listen_text (vault->listen_host, port >= 0 ? port : vault->listen_port);
  return sp_service_claim (local->service, &claim, error);
}

static gboolean
run (Local *local, const SpLocalOptions *options, GError **error)
{
  const SpServiceSetup setup = {
    .dir = options->dir,
    .config = options->config,
    .built_in = built_in,
    .vault = options->vault,
    .plugin_dir = options->plugin_dir,
    .make_keys = TRUE,
    .tls_optional = TRUE,
  };

  local->service = sp_service_open (&setup, &backend, local, error);
  if (local->service == NULL || !prepare (local, options->port, error))
    return FALSE;
  g_printerr ("secret-proxy: nothing isolates this vault from other programs of this user "
              "(trust: " TRUST "): use it for trying and for tests\n");
  return sp_service_run (local->service, error);
}

gboolean
sp_local_run (const SpLocalOptions *options, GError **error)
{
  Local local = { .service = NULL };
  gboolean ok = run (&local, options, error);

  sp_daemon_free (local.daemon);
  sp_service_free (local.service);
  g_free (local.state);
  g_free (local.listen);
  return ok;
}
