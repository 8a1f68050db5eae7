/* local.c - local.h: a daemon beside this process as the backend of a service
 *
 * What must stay true: the ready line is the only thing on stdout; the port stays the same as long as
 * this process lives.
 */
#include "host/resident/local.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/problem.h"
#include "host/keys.h"
#include "host/resident/daemon.h"
#include "host/resident/ephemeral.h"
#include "host/resident/ready-line.h"
#include "host/resident/service.h"

#define TRUST "local"
#define ACCELERATION "none"
#define STATE "state"
/* The store of a vault without a folder of its own: it keeps nothing. */
#define VOLATILE "memory"

static const char built_in[] = "[vault default]\n"
                               "store = sqlite\n"
                               "tls = optional\n"
                               "listen = 127.0.0.1:3737\n";

typedef struct {
  SpService *service;
  SpDaemon *daemon;
  char *temporary; /* the folder, where it is to be gone afterwards */
  char *state;
  char *listen;    /* with the port that it really has, once it is known */
  const char *url; /* NULL: where it listens */
} Local;

static void
on_unlocked (gboolean again, gpointer data)
{
  if (!again)
    sp_ready_line (((Local *) data)->service, NULL);
}

static void
on_listening (const char *address, guint16 port, int fd, gpointer data)
{
  Local *local = data;
  g_autofree char *url = NULL;

  g_free (local->listen);
  local->listen = g_strdup_printf ("%s:%u", address, port);
  url = local->url ? g_strdup (local->url) : g_strdup_printf ("https://%s", local->listen);
  sp_service_attach (local->service, fd, url);
}

static void
on_daemon_ended (const GError *error, gpointer data)
{
  Local *local = data;

  g_clear_pointer (&local->daemon, sp_daemon_free);
  sp_service_ended (local->service, error);
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
choose_address (Local *local, const SpLocalOptions *options, GError **error)
{
  const SpConfigVault *vault = sp_service_vault (local->service);
  g_autofree char *host = NULL;
  guint16 port = vault->listen_port;

  if (options->listen != NULL && !sp_config_parse_listen (options->listen, &host, &port, error))
    return FALSE;
  local->listen =
      sp_listen_text (host ? host : vault->listen_host, options->port >= 0 ? options->port : port);
  local->url = options->url;
  return TRUE;
}

static gboolean
prepare (Local *local, const SpLocalOptions *options, GError **error)
{
  const SpServiceClaim claim = { .trust = TRUST, .acceleration = ACCELERATION };

  local->state = g_build_filename (sp_service_path (local->service), STATE, NULL);
  if (mkdirat (sp_service_folder (local->service), STATE, 0700) != 0 && errno != EEXIST) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make %s: %s", local->state,
                 g_strerror (errno));
    return FALSE;
  }
  return choose_address (local, options, error) && sp_service_claim (local->service, &claim, error);
}

/* Whoever looks into the folder while it runs, or finds it after a kill, finds no key. */
static void
forget_keys (Local *local)
{
  sp_host_keys_remove (sp_service_folder (local->service));
  g_printerr ("secret-proxy: keys, secrets and all else of this vault are gone when it ends\n");
}

static gboolean
run (Local *local, const SpLocalOptions *options, GError **error)
{
  const SpServiceSetup setup = {
    .dir = options->dir != NULL ? options->dir : local->temporary,
    .store = options->dir != NULL ? NULL : VOLATILE,
    .config = options->config,
    .built_in = built_in,
    .vault = options->vault,
    .plugin_dir = options->plugin_dir,
    .make_keys = TRUE,
    .tls_optional = TRUE,
  };

  local->service = sp_service_open (&setup, &backend, local, error);
  if (local->service == NULL || !prepare (local, options, error))
    return FALSE;
  if (local->temporary != NULL)
    forget_keys (local);
  g_printerr ("secret-proxy: nothing isolates this vault from other programs of this user "
              "(trust: " TRUST "): use it for trying and for tests\n");
  return sp_service_run (local->service, error);
}

gboolean
sp_local_run (const SpLocalOptions *options, GError **error)
{
  Local local = { .service = NULL };
  gboolean ok = TRUE;

  if (options->dir == NULL)
    ok = (local.temporary = sp_ephemeral_make (error)) != NULL;
  ok = ok && run (&local, options, error);
  sp_daemon_free (local.daemon);
  sp_service_free (local.service);
  if (local.temporary != NULL)
    sp_ephemeral_remove (local.temporary);
  g_free (local.temporary);
  g_free (local.state);
  g_free (local.listen);
  return ok;
}
