/* gate.c - puts link, routes and server together */
#include "daemon/gate.h"

#include <unistd.h>

#include "base/problem.h"
#include "daemon/gate-protocol.h"
#include "daemon/routes.h"

#define KEEPER_ANSWER_MS 10000u
#define LAST_TURNS 100u

struct _SpGate {
  SpHttpServer *server;
  SpRoutes routes;
  SpGateSetup setup;
};

static void
on_set_tls (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  SpGate *gate = data;
  g_autoptr (GTlsCertificate) certificate = NULL;
  g_autoptr (GError) error = NULL;
  gboolean plain;

  g_variant_get (args, "(b)", &plain);
  if (blob != NULL && g_bytes_get_size (blob) > 0) {
    certificate = g_tls_certificate_new_from_pem (g_bytes_get_data (blob, NULL),
                                                  (gssize) g_bytes_get_size (blob), &error);
    if (certificate == NULL) {
      g_prefix_error (&error, "cannot read the TLS certificate and its key: ");
      sp_link_call_fail (call, error);
      return;
    }
  }
  sp_http_server_set_certificate (gate->server, certificate);
  gate->routes.plain = plain;
  gate->routes.ready = TRUE;
  sp_link_call_reply (call, g_variant_new ("()"), NULL);
}

static const SpLinkHandler order_handlers[SP_GATE_N_ORDERS] = {
  [SP_GATE_SET_TLS] = on_set_tls,
};

static void
on_closed (SpLink *link, const GError *why, gpointer data)
{
  SpGate *gate = data;

  gate->setup.closed (gate->setup.data);
}

static SpLink *
make_link (SpGate *gate, int fd)
{
  const SpLinkSetup setup = {
    .serve = sp_gate_orders,
    .handlers = order_handlers,
    .n_serve = SP_GATE_N_ORDERS,
    .call = sp_gate_calls,
    .n_call = SP_GATE_N_CALLS,
    .closed = on_closed,
    .data = gate,
  };

  return sp_link_new (fd, &setup);
}

SpGate *
sp_gate_new (const SpGateSetup *setup, GError **error)
{
  SpGate *gate = g_new0 (SpGate, 1);

  gate->setup = *setup;
  gate->routes.answer_ms = setup->answer_ms;
  gate->routes.limits = sp_gate_limits_new ();
  gate->routes.link = make_link (gate, setup->link_fd);
  gate->server = sp_http_server_new (setup->listen_fd, &sp_routes_handler, &gate->routes,
                                     setup->deadlines, setup->caps, error);
  if (gate->server == NULL) {
    (void) close (setup->listen_fd);
    sp_gate_free (gate);
    return NULL;
  }
  return gate;
}

void
sp_gate_free (SpGate *gate)
{
  /* Connections first: calls that fail with the link then have nobody to answer. */
  g_clear_pointer (&gate->server, sp_http_server_free);
  sp_link_close (gate->routes.link);
  sp_link_unref (gate->routes.link);
  sp_gate_limits_free (gate->routes.limits);
  g_free (gate);
}

guint
sp_gate_connections (SpGate *gate)
{
  return sp_http_server_count (gate->server);
}

guint
sp_gate_parked (SpGate *gate)
{
  return gate->routes.parked;
}

static void
quit (gpointer data)
{
  g_main_loop_quit (data);
}

int
sp_gate_run (int link_fd, int listen_fd)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  g_autoptr (GError) error = NULL;
  const SpGateSetup setup = {
    .link_fd = link_fd,
    .listen_fd = listen_fd,
    .deadlines = &sp_http_deadlines,
    .caps = &sp_http_caps,
    .answer_ms = KEEPER_ANSWER_MS,
    .closed = quit,
    .data = loop,
  };
  SpGate *gate;

  g_main_context_push_thread_default (context);
  gate = sp_gate_new (&setup, &error);
  if (gate != NULL) {
    g_main_loop_run (loop);
    sp_gate_free (gate);
    /* Reads that were cancelled with their connections give back what they hold. */
    for (guint i = 0; i < LAST_TURNS && g_main_context_iteration (context, FALSE); i++)
      ;
  } else {
    g_warning ("gate: %s", error->message);
  }
  g_main_context_pop_thread_default (context);
  return gate != NULL ? 0 : 1;
}
