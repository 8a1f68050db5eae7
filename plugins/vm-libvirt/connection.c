/* connection.c - connection.h
 *
 * What must stay true: no call waits for ever for a daemon that hangs.
 */
#include "connection.h"

#include <libvirt/libvirt-qemu.h>
#include <secret-proxy/json.h>
#include <string.h>
#include <unistd.h>

#include "errors.h"
#include "events.h"
#include "wait.h"

#define CONNECT_MS 15000u
/* Together less than the shortest deadline of a call. */
#define KEEPALIVE_SECONDS 2
#define KEEPALIVE_COUNT 2

/* ---- connecting, on a thread of its own, since it can't be cancelled ---------------------------------- */

typedef struct {
  gatomicrefcount refs;
  char *uri;
  GMainContext *context;
  gint done;
  virConnectPtr connection;
  GError *error;
} Attempt;

static void
attempt_unref (Attempt *attempt)
{
  if (!g_atomic_ref_count_dec (&attempt->refs))
    return;
  if (attempt->connection != NULL)
    (void) virConnectClose (attempt->connection);
  g_clear_error (&attempt->error);
  g_main_context_unref (attempt->context);
  g_free (attempt->uri);
  g_free (attempt);
}

static gpointer
run_attempt (gpointer data)
{
  Attempt *attempt = data;

  attempt->connection = virConnectOpen (attempt->uri);
  if (attempt->connection == NULL)
    (void) sp_libvirt_fail (&attempt->error, "cannot reach libvirt at %s", attempt->uri);
  g_atomic_int_set (&attempt->done, 1);
  g_main_context_wakeup (attempt->context);
  attempt_unref (attempt);
  return NULL;
}

static gboolean
is_done (gpointer data)
{
  return g_atomic_int_get (&((Attempt *) data)->done) != 0;
}

/* A plugin host has none of the variables by which libvirt finds a user's daemon, so it is named. */
static char *
full_uri (const SpLibvirt *libvirt)
{
  g_autofree char *socket =
      g_strdup_printf ("/run/user/%u/libvirt/libvirt-sock", (guint) geteuid ());

  return libvirt->system ? g_strdup (libvirt->uri)
                         : g_strconcat (libvirt->uri, "?socket=", socket, NULL);
}

static Attempt *
begin_attempt (const SpLibvirt *libvirt)
{
  Attempt *attempt = g_new0 (Attempt, 1);

  g_atomic_ref_count_init (&attempt->refs);
  g_atomic_ref_count_inc (&attempt->refs);
  attempt->uri = full_uri (libvirt);
  attempt->context = g_main_context_ref_thread_default ();
  g_thread_unref (g_thread_new ("libvirt-connect", run_attempt, attempt));
  return attempt;
}

static void
add_advice (const SpLibvirt *libvirt, GError **error)
{
  GError *plain = *error;

  *error = g_error_new (
      SP_ERROR, plain->code, "%s; %s", plain->message,
      libvirt->system ? "is its daemon running? run systemctl start libvirtd, or install "
                        "the Debian package libvirt-daemon-system"
                      : "is this user's daemon running? run libvirtd --daemon as this user, from "
                        "a session that has XDG_RUNTIME_DIR");
  g_error_free (plain);
}

static virConnectPtr
open_connection (const SpLibvirt *libvirt, GCancellable *cancellable, GError **error)
{
  Attempt *attempt = begin_attempt (libvirt);
  virConnectPtr connection = NULL;

  if (!sp_qemu_wait (cancellable, CONNECT_MS, is_done, attempt)) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE,
                 "libvirt at %s does not answer: its daemon hangs; run systemctl restart libvirtd",
                 libvirt->uri);
  } else if (attempt->connection == NULL) {
    g_propagate_error (error, g_steal_pointer (&attempt->error));
    add_advice (libvirt, error);
  } else {
    connection = g_steal_pointer (&attempt->connection);
  }
  attempt_unref (attempt);
  return connection;
}

/* ---- what comes by itself ----------------------------------------------------------------------------- */

typedef struct {
  char id[VIR_UUID_STRING_BUFLEN]; /* empty: it is about no domain */
  SpLibvirtEvent event;
  int detail;
} Message;

/* On libvirt's thread. */
static void
post (SpLibvirt *libvirt, const Message *message)
{
  g_async_queue_push (libvirt->messages, g_memdup2 (message, sizeof *message));
  g_source_set_ready_time (libvirt->mailbox, 0);
}

static void
tell (SpLibvirt *libvirt, virDomainPtr domain, SpLibvirtEvent event, int detail)
{
  Message message = { .event = event, .detail = detail };

  if (virDomainGetUUIDString (domain, message.id) == 0)
    post (libvirt, &message);
}

/* On the plugin's. */
static gboolean
on_mail (GSource *source, GSourceFunc unused, gpointer data)
{
  SpLibvirt *libvirt = data;
  Message *next;

  g_source_set_ready_time (source, -1);
  while ((next = g_async_queue_try_pop (libvirt->messages)) != NULL) {
    g_autofree Message *message = next;

    libvirt->on_event (*message->id != '\0' ? message->id : NULL, message->event, message->detail,
                       libvirt->data);
  }
  return G_SOURCE_CONTINUE;
}

static int
on_lifecycle (virConnectPtr connection, virDomainPtr domain, int event, int detail, void *data)
{
  static const struct {
    int theirs;
    SpLibvirtEvent ours;
  } events[] = {
    { VIR_DOMAIN_EVENT_STOPPED, SP_LIBVIRT_STOPPED },
    { VIR_DOMAIN_EVENT_RESUMED, SP_LIBVIRT_RESUMED },
    { VIR_DOMAIN_EVENT_SUSPENDED, SP_LIBVIRT_CHANGED },
    { VIR_DOMAIN_EVENT_PMSUSPENDED, SP_LIBVIRT_CHANGED },
    { VIR_DOMAIN_EVENT_DEFINED, SP_LIBVIRT_CHANGED },
    { VIR_DOMAIN_EVENT_CRASHED, SP_LIBVIRT_CHANGED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (events); i++)
    if (events[i].theirs == event)
      tell (data, domain, events[i].ours, detail);
  return 0;
}

static void
on_device (virConnectPtr connection, virDomainPtr domain, const char *alias, void *data)
{
  tell (data, domain, SP_LIBVIRT_CHANGED, 0);
}

static void
on_metadata (virConnectPtr connection, virDomainPtr domain, int type, const char *uri, void *data)
{
  tell (data, domain, SP_LIBVIRT_CHANGED, 0);
}

static void
on_tunable (virConnectPtr connection, virDomainPtr domain, virTypedParameterPtr values, int n,
            void *data)
{
  tell (data, domain, SP_LIBVIRT_CHANGED, 0);
}

static void
on_block_job (virConnectPtr connection, virDomainPtr domain, const char *disk, int type, int status,
              void *data)
{
  tell (data, domain, SP_LIBVIRT_CHANGED, 0);
}

static const struct {
  const char *reason; /* QEMU's */
  SpLibvirtCause cause;
} causes[] = {
  { "guest-shutdown", SP_LIBVIRT_POWER_OFF },
  { "guest-reset", SP_LIBVIRT_GUEST_RESET },
  { "host-qmp-system-reset", SP_LIBVIRT_OTHERS_RESET },
  { "host-signal", SP_LIBVIRT_SIGNAL },
};

/* Only QEMU's own event says what kind of a shut-down it is. */
static void
on_shutdown (virConnectPtr connection, virDomainPtr domain, const char *event, long long seconds,
             unsigned micros, const char *details, void *data)
{
  SpLibvirt *libvirt = data;
  g_autoptr (JsonNode) node =
      details != NULL ? sp_json_read (libvirt->host, details, strlen (details), 0, NULL) : NULL;
  JsonNode *reason = node != NULL && JSON_NODE_HOLDS_OBJECT (node)
                         ? json_object_get_member (json_node_get_object (node), "reason")
                         : NULL;

  if (reason == NULL || json_node_get_value_type (reason) != G_TYPE_STRING)
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (causes); i++)
    if (g_str_equal (json_node_get_string (reason), causes[i].reason))
      tell (libvirt, domain, SP_LIBVIRT_CAUSE, (int) causes[i].cause);
}

static void
on_powerdown (virConnectPtr connection, virDomainPtr domain, const char *event, long long seconds,
              unsigned micros, const char *details, void *data)
{
  tell (data, domain, SP_LIBVIRT_CAUSE, SP_LIBVIRT_OTHERS_BUTTON);
}

static void
on_closed (virConnectPtr connection, int reason, void *data)
{
  const Message message = { .event = SP_LIBVIRT_LOST, .detail = reason };

  post (data, &message);
}

static gboolean
hear (SpLibvirt *libvirt, virConnectPtr connection, GError **error)
{
  static const struct {
    int event;
    virConnectDomainEventGenericCallback callback;
  } events[] = {
    { VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK (on_lifecycle) },
    { VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, VIR_DOMAIN_EVENT_CALLBACK (on_device) },
    { VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK (on_device) },
    { VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, VIR_DOMAIN_EVENT_CALLBACK (on_metadata) },
    { VIR_DOMAIN_EVENT_ID_TUNABLE, VIR_DOMAIN_EVENT_CALLBACK (on_tunable) },
    { VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, VIR_DOMAIN_EVENT_CALLBACK (on_block_job) },
  };
  static const struct {
    const char *event;
    virConnectDomainQemuMonitorEventCallback callback;
  } qemu_events[] = { { "SHUTDOWN", on_shutdown }, { "POWERDOWN", on_powerdown } };
  gboolean ok = virConnectRegisterCloseCallback (connection, on_closed, libvirt, NULL) == 0;

  for (gsize i = 0; ok && i < G_N_ELEMENTS (events); i++)
    ok = virConnectDomainEventRegisterAny (connection, NULL, events[i].event, events[i].callback,
                                           libvirt, NULL) >= 0;
  for (gsize i = 0; ok && i < G_N_ELEMENTS (qemu_events); i++)
    ok = virConnectDomainQemuMonitorEventRegister (connection, NULL, qemu_events[i].event,
                                                   qemu_events[i].callback, libvirt, NULL, 0) >= 0;
  return ok || sp_libvirt_fail (error, "cannot hear libvirt's events");
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

void
sp_libvirt_begin (SpLibvirt *libvirt)
{
  static GSourceFuncs functions = { .dispatch = on_mail };

  sp_libvirt_errors_silence ();
  sp_libvirt_events_begin ();
  libvirt->context = g_main_context_ref_thread_default ();
  libvirt->messages = g_async_queue_new_full (g_free);
  libvirt->mailbox = g_source_new (&functions, sizeof (GSource));
  g_source_set_callback (libvirt->mailbox, NULL, libvirt, NULL);
  g_source_attach (libvirt->mailbox, libvirt->context);
}

void
sp_libvirt_end (SpLibvirt *libvirt)
{
  if (libvirt->context == NULL)
    return;
  sp_libvirt_disconnect (libvirt);
  sp_libvirt_events_end ();
  g_source_destroy (libvirt->mailbox);
  g_clear_pointer (&libvirt->mailbox, g_source_unref);
  g_clear_pointer (&libvirt->messages, g_async_queue_unref);
  g_clear_pointer (&libvirt->context, g_main_context_unref);
}

void
sp_libvirt_disconnect (SpLibvirt *libvirt)
{
  if (libvirt->connection == NULL)
    return;
  (void) virConnectUnregisterCloseCallback (libvirt->connection, on_closed);
  (void) virConnectClose (libvirt->connection);
  libvirt->connection = NULL;
}

void
sp_libvirt_explain_loss (const SpLibvirt *libvirt, GError **error)
{
  if (libvirt->connection == NULL || virConnectIsAlive (libvirt->connection) == 1)
    return;
  g_prefix_error (error, "the connection to libvirt's daemon was lost meanwhile: ");
  add_advice (libvirt, error);
}

virConnectPtr
sp_libvirt_connect (SpLibvirt *libvirt, GCancellable *cancellable, GError **error)
{
  virConnectPtr connection;

  if (libvirt->connection != NULL && virConnectIsAlive (libvirt->connection) == 1)
    return libvirt->connection;
  sp_libvirt_disconnect (libvirt);
  connection = open_connection (libvirt, cancellable, error);
  if (connection == NULL)
    return NULL;
  (void) virConnectSetKeepAlive (connection, KEEPALIVE_SECONDS, KEEPALIVE_COUNT);
  if (!hear (libvirt, connection, error)) {
    (void) virConnectClose (connection);
    return NULL;
  }
  libvirt->connection = connection;
  return connection;
}
