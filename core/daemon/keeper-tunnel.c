/* keeper-tunnel.c - keeper-tunnel.h
 *
 *      asked --plugin.started--> connected --kill, end of the socket--> ending
 *        |                           |                                    |
 *        +---------------- plugin.end, or no answer: gone ----------------+
 *
 * What must stay true: the client hears of the end of each process exactly once, also where the host
 * says nothing.
 */
#include "daemon/keeper-tunnel.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "base/tunnel.h"

#define ANSWER_MS 10000u
#define NO_ANSWER "the host does not answer"
#define MAX_WHY 300

struct _SpKeeperTunnels {
  SpKeeperTell tell;
  SpKeeperEnded ended;
  gpointer data;
  GMainContext *context;
  GPtrArray *runs; /* Run */
};

typedef struct {
  SpKeeperTunnels *tunnels;
  SpPluginClient *client;
  char *name; /* the run */
  int fd;     /* the client's end, until it is handed over; else -1 */
  int far;    /* the tunnel's, until there is one; else -1 */
  SpTunnel *tunnel;
  GSource *timer; /* until the host must have answered */
} Run;

static void
timer_clear (Run *run)
{
  if (run->timer == NULL)
    return;
  g_source_destroy (run->timer);
  g_clear_pointer (&run->timer, g_source_unref);
}

static void
run_free (gpointer data)
{
  Run *run = data;

  timer_clear (run);
  sp_tunnel_free (run->tunnel);
  if (run->fd >= 0)
    (void) close (run->fd);
  if (run->far >= 0)
    (void) close (run->far);
  g_free (run->name);
  g_free (run);
}

static gboolean
tell (Run *run, const char *method, SpSecret *bytes, gint64 allowed)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (NULL, method);
  JsonObject *params = json_node_get_object (message->params);

  json_object_set_string_member (params, "run", run->name);
  if (allowed > 0)
    json_object_set_int_member (params, "bytes", allowed);
  else if (g_str_equal (method, "plugin.start"))
    json_object_set_string_member (params, "notifier", sp_plugin_client_instance (run->client));
  message->secret = bytes ? sp_secret_ref (bytes) : NULL;
  return run->tunnels->tell (message, run->tunnels->data);
}

/* ---- the end of a process ------------------------------------------------------------------------------ */

static void
gone (Run *run, const char *why)
{
  SpPluginClient *client = run->client;

  SpKeeperTunnels *tunnels = run->tunnels;

  (void) g_ptr_array_remove_fast (tunnels->runs, run);
  tunnels->ended (client, tunnels->data);
  sp_plugin_client_exited_because (client, why);
}

static gboolean
on_no_answer (gpointer data)
{
  Run *run = data;

  /* It may be only slow. */
  (void) tell (run, "plugin.kill", NULL, 0);
  gone (run, NO_ANSWER);
  return G_SOURCE_REMOVE;
}

static void
expect_answer (Run *run)
{
  timer_clear (run);
  run->timer = g_timeout_source_new (ANSWER_MS);
  g_source_set_callback (run->timer, on_no_answer, run, NULL);
  g_source_attach (run->timer, run->tunnels->context);
}

static Run *
run_of (SpKeeperTunnels *tunnels, const SpPluginClient *client)
{
  for (guint i = 0; i < tunnels->runs->len; i++) {
    Run *run = g_ptr_array_index (tunnels->runs, i);

    if (run->client == client)
      return run;
  }
  return NULL;
}

void
sp_keeper_tunnels_kill (SpKeeperTunnels *tunnels, SpPluginClient *client)
{
  Run *run = run_of (tunnels, client);

  if (run == NULL) {
    sp_plugin_client_exited (client);
    return;
  }
  g_clear_pointer (&run->tunnel, sp_tunnel_free);
  if (tell (run, "plugin.kill", NULL, 0))
    expect_answer (run);
  else
    gone (run, SP_KEEPER_NO_HOST);
}

void
sp_keeper_tunnels_end (SpKeeperTunnels *tunnels, SpPluginClient *client)
{
  Run *run = run_of (tunnels, client);

  if (run == NULL)
    return;
  g_clear_pointer (&run->tunnel, sp_tunnel_free);
  if (tell (run, "plugin.end", NULL, 0))
    expect_answer (run);
  else
    gone (run, SP_KEEPER_NO_HOST);
}

void
sp_keeper_tunnels_forget (SpKeeperTunnels *tunnels, SpPluginClient *client)
{
  Run *run = run_of (tunnels, client);

  if (run == NULL)
    return;
  (void) tell (run, "plugin.end", NULL, 0);
  (void) g_ptr_array_remove_fast (tunnels->runs, run);
}

void
sp_keeper_tunnels_drop (SpKeeperTunnels *tunnels, const char *why)
{
  while (tunnels->runs->len > 0)
    gone (g_ptr_array_index (tunnels->runs, 0), why);
}

/* ---- its start ------------------------------------------------------------------------------------------ */

void
sp_keeper_tunnels_start (SpKeeperTunnels *tunnels, SpPluginClient *client)
{
  Run *run = g_new0 (Run, 1);
  int pair[2] = { -1, -1 };
  gboolean ok = socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0;

  run->tunnels = tunnels;
  run->client = client;
  run->name = sp_random_id (12);
  run->fd = pair[0];
  run->far = pair[1];
  g_ptr_array_add (tunnels->runs, run);
  if (!ok)
    gone (run, "a socket pair could not be made");
  else if (!tell (run, "plugin.start", NULL, 0))
    gone (run, SP_KEEPER_NO_HOST);
  else
    expect_answer (run);
}

static void
on_bytes (SpSecret *bytes, gpointer data)
{
  (void) tell (data, "plugin.data", bytes, 0);
}

static void
on_allow (guint bytes, gpointer data)
{
  (void) tell (data, "plugin.allow", NULL, bytes);
}

/* The client has closed its end, and asks for the process's end right after that. */
static void
on_socket_ended (gpointer data)
{
  g_clear_pointer (&((Run *) data)->tunnel, sp_tunnel_free);
}

static void
take_started (Run *run, const SpRpcMessage *message)
{
  static const SpTunnelEvents events = { on_bytes, on_allow, on_socket_ended };
  int fd = run->fd;

  if (fd < 0)
    return;
  timer_clear (run);
  run->tunnel = sp_tunnel_new (run->far, &events, run);
  run->fd = run->far = -1;
  sp_plugin_client_attach (run->client, fd);
}

/* ---- what the host says ----------------------------------------------------------------------------------- */

/* A tunnel that is dropped ends the client's link, and the client has the process killed. */
static void
take_data (Run *run, const SpRpcMessage *message)
{
  if (run->tunnel != NULL && message->secret != NULL &&
      !sp_tunnel_take (run->tunnel, message->secret))
    g_clear_pointer (&run->tunnel, sp_tunnel_free);
}

static void
take_allow (Run *run, const SpRpcMessage *message)
{
  gint64 bytes = -1;

  (void) sp_json_get_int (json_node_get_object (message->params), "bytes", &bytes, NULL);
  if (run->tunnel != NULL && !sp_tunnel_allowed (run->tunnel, bytes))
    g_clear_pointer (&run->tunnel, sp_tunnel_free);
}

static void
take_end (Run *run, const SpRpcMessage *message)
{
  g_autofree char *clean = NULL;
  const char *why = NULL;

  (void) sp_json_get_string (json_node_get_object (message->params), "why", &why, NULL);
  clean = why != NULL ? sp_text_clean (why, MAX_WHY) : NULL;
  gone (run, clean);
}

static Run *
run_named (SpKeeperTunnels *tunnels, const char *name)
{
  for (guint i = 0; name != NULL && i < tunnels->runs->len; i++) {
    Run *run = g_ptr_array_index (tunnels->runs, i);

    if (g_str_equal (run->name, name))
      return run;
  }
  return NULL;
}

void
sp_keeper_tunnels_take (SpKeeperTunnels *tunnels, const SpRpcMessage *message)
{
  static const struct {
    const char *method;
    void (*take) (Run *run, const SpRpcMessage *message);
  } takers[] = { { "plugin.started", take_started },
                 { "plugin.data", take_data },
                 { "plugin.allow", take_allow },
                 { "plugin.end", take_end } };
  const char *name = NULL;
  Run *run;

  (void) sp_json_get_string (json_node_get_object (message->params), "run", &name, NULL);
  run = run_named (tunnels, name);
  for (gsize i = 0; run != NULL && i < G_N_ELEMENTS (takers); i++)
    if (g_str_equal (message->method, takers[i].method)) {
      takers[i].take (run, message);
      return;
    }
}

/* ---- life ----------------------------------------------------------------------------------------------- */

SpKeeperTunnels *
sp_keeper_tunnels_new (SpKeeperTell func, SpKeeperEnded ended, gpointer data)
{
  SpKeeperTunnels *tunnels = g_new0 (SpKeeperTunnels, 1);

  tunnels->tell = func;
  tunnels->ended = ended;
  tunnels->data = data;
  tunnels->context = g_main_context_ref_thread_default ();
  tunnels->runs = g_ptr_array_new_with_free_func (run_free);
  return tunnels;
}

void
sp_keeper_tunnels_free (SpKeeperTunnels *tunnels)
{
  g_ptr_array_unref (tunnels->runs);
  g_main_context_unref (tunnels->context);
  g_free (tunnels);
}
