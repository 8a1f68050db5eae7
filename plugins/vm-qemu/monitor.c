/* monitor.c - monitor.h: lines of JSON over a socket
 *
 * What must stay true: a line is bounded; an answer counts only for the command that asked; whoever breaks
 * the protocol is cut off.
 */
#include "monitor.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <secret-proxy/vm.h>

#include "wait.h"

#define MAX_LINE (256u * 1024u)
#define CALL_MS 5000u

struct _SpQemuMonitor {
  SpHost *host;
  int fd; /* -1: cut off */
  GSource *source;
  GByteArray *in;
  gboolean greeted;
  gint64 last_id; /* of the command that waits */
  JsonNode *answer;
  char *shutdown;
  const char *disk_error; /* NULL: there was none */
  void (*on_disk_error) (gpointer data);
  gpointer data;
};

static gboolean
fail (GError **error, const char *why)
{
  g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "QEMU's monitor %s", why);
  return FALSE;
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

static void
cut_off (SpQemuMonitor *monitor)
{
  if (monitor->source != NULL) {
    g_source_destroy (monitor->source);
    g_clear_pointer (&monitor->source, g_source_unref);
  }
  if (monitor->fd >= 0)
    (void) close (monitor->fd);
  monitor->fd = -1;
}

static JsonObject *
member_object (JsonObject *object, const char *name)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, name) : NULL;

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static const char *
member_string (JsonObject *object, const char *name)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, name) : NULL;

  return node != NULL && json_node_get_value_type (node) == G_TYPE_STRING
             ? json_node_get_string (node)
             : NULL;
}

static void
on_shutdown (SpQemuMonitor *monitor, JsonObject *data)
{
  const char *reason = member_string (data, "reason");

  g_free (monitor->shutdown);
  monitor->shutdown = g_strndup (reason != NULL ? reason : "", 64);
}

/* It is stopped when STOP comes. */
static void
on_block_io_error (SpQemuMonitor *monitor, JsonObject *data)
{
  JsonNode *full = data != NULL ? json_object_get_member (data, "nospace") : NULL;
  gboolean is_full = full != NULL && json_node_get_value_type (full) == G_TYPE_BOOLEAN &&
                     json_node_get_boolean (full);

  if (g_strcmp0 (member_string (data, "action"), "stop") == 0)
    monitor->disk_error = is_full ? "a disk of the guest can't grow: the host's file system is full"
                                  : "a disk of the guest can't be read or written on the host";
}

static void
on_stop (SpQemuMonitor *monitor, JsonObject *data)
{
  if (monitor->disk_error != NULL && monitor->on_disk_error != NULL)
    monitor->on_disk_error (monitor->data);
}

static void
take_event (SpQemuMonitor *monitor, JsonObject *object)
{
  static const struct {
    const char *name;
    void (*take) (SpQemuMonitor *monitor, JsonObject *data);
  } events[] = {
    { "SHUTDOWN", on_shutdown },
    { "BLOCK_IO_ERROR", on_block_io_error },
    { "STOP", on_stop },
  };
  const char *name = member_string (object, "event");

  for (gsize i = 0; i < G_N_ELEMENTS (events); i++)
    if (g_strcmp0 (events[i].name, name) == 0)
      events[i].take (monitor, member_object (object, "data"));
}

static gboolean
is_answer (const SpQemuMonitor *monitor, JsonObject *object)
{
  JsonNode *id = json_object_get_member (object, "id");

  return id != NULL && json_node_get_value_type (id) == G_TYPE_INT64 &&
         json_node_get_int (id) == monitor->last_id;
}

static gboolean
take_line (SpQemuMonitor *monitor, const char *line, gsize length)
{
  g_autoptr (JsonNode) node = sp_json_read (monitor->host, line, length, SP_JSON_REPAIR_UTF8, NULL);
  JsonObject *object =
      node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;

  if (object == NULL)
    return FALSE;
  if (json_object_has_member (object, "QMP"))
    monitor->greeted = TRUE;
  else if (json_object_has_member (object, "event"))
    take_event (monitor, object);
  else if (monitor->answer == NULL && is_answer (monitor, object))
    monitor->answer = g_steal_pointer (&node);
  return TRUE;
}

static gboolean
take_lines (SpQemuMonitor *monitor)
{
  guint8 *end;

  while ((end = memchr (monitor->in->data, '\n', monitor->in->len)) != NULL) {
    gsize length = (gsize) (end - monitor->in->data);

    if (!take_line (monitor, (const char *) monitor->in->data, length))
      return FALSE;
    g_byte_array_remove_range (monitor->in, 0, (guint) length + 1);
  }
  return monitor->in->len <= MAX_LINE;
}

/* FALSE: there is nothing more for now. */
static gboolean
read_some (SpQemuMonitor *monitor)
{
  guint8 chunk[4096];
  gssize n = recv (monitor->fd, chunk, sizeof chunk, MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return FALSE;
  if (n > 0)
    g_byte_array_append (monitor->in, chunk, (guint) n);
  if (n <= 0 || !take_lines (monitor))
    cut_off (monitor);
  return monitor->fd >= 0;
}

static gboolean
on_readable (int fd, GIOCondition condition, gpointer data)
{
  SpQemuMonitor *monitor = data;

  (void) read_some (monitor);
  return monitor->fd >= 0 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

void
sp_qemu_monitor_drain (SpQemuMonitor *monitor)
{
  while (monitor->fd >= 0 && read_some (monitor))
    ;
}

const char *
sp_qemu_monitor_shutdown (const SpQemuMonitor *monitor)
{
  return monitor->shutdown;
}

void
sp_qemu_monitor_on_disk_error (SpQemuMonitor *monitor, void (*func) (gpointer data), gpointer data)
{
  monitor->on_disk_error = func;
  monitor->data = data;
}

const char *
sp_qemu_monitor_disk_error (const SpQemuMonitor *monitor)
{
  return monitor->disk_error;
}

/* ---- life ------------------------------------------------------------------------------------------------- */

SpQemuMonitor *
sp_qemu_monitor_new (SpHost *host, int fd)
{
  SpQemuMonitor *monitor = g_new0 (SpQemuMonitor, 1);

  monitor->host = host;
  monitor->fd = fd;
  monitor->in = g_byte_array_new ();
  monitor->source = g_unix_fd_source_new (fd, G_IO_IN | G_IO_HUP);
  g_source_set_callback (monitor->source, G_SOURCE_FUNC (on_readable), monitor, NULL);
  g_source_attach (monitor->source, g_main_context_get_thread_default ());
  return monitor;
}

SpQemuMonitor *
sp_qemu_monitor_connect (SpHost *host, const char *path, GError **error)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  (void) g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (fd >= 0 && connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return sp_qemu_monitor_new (host, fd);
  g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "cannot reach QEMU's monitor %s: %s", path,
               g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return NULL;
}

void
sp_qemu_monitor_free (SpQemuMonitor *monitor)
{
  if (monitor == NULL)
    return;
  cut_off (monitor);
  g_byte_array_unref (monitor->in);
  g_clear_pointer (&monitor->answer, json_node_unref);
  g_free (monitor->shutdown);
  g_free (monitor);
}

/* ---- commands --------------------------------------------------------------------------------------------- */

static gboolean
is_greeted (gpointer data)
{
  const SpQemuMonitor *monitor = data;

  return monitor->greeted || monitor->fd < 0;
}

gboolean
sp_qemu_monitor_begin (SpQemuMonitor *monitor, guint ms, GCancellable *cancellable, GError **error)
{
  if (!sp_qemu_wait (cancellable, ms, is_greeted, monitor))
    return fail (error, "does not answer");
  if (!monitor->greeted)
    return fail (error, "closed the connection");
  return sp_qemu_monitor_do (monitor, "qmp_capabilities", cancellable, error);
}

static gboolean
is_answered (gpointer data)
{
  const SpQemuMonitor *monitor = data;

  return monitor->answer != NULL || monitor->fd < 0;
}

static gboolean
send_command (SpQemuMonitor *monitor, const char *command, const char *arguments, GError **error)
{
  g_autofree char *line = g_strdup_printf (
      "{\"execute\":\"%s\",\"id\":%" G_GINT64_FORMAT "%s%s}\n", command, ++monitor->last_id,
      arguments != NULL ? ",\"arguments\":" : "", arguments != NULL ? arguments : "");
  gsize length = strlen (line);

  /* Far smaller than the socket's buffer, so all of it or nothing. */
  if (monitor->fd >= 0 &&
      send (monitor->fd, line, length, MSG_NOSIGNAL | MSG_DONTWAIT) == (gssize) length)
    return TRUE;
  return fail (error, "is gone");
}

static JsonNode *
value_of (JsonObject *answer, const char *command, GError **error)
{
  const char *text = member_string (member_object (answer, "error"), "desc");
  g_autofree char *shown = NULL;

  if (json_object_has_member (answer, "return"))
    return json_node_copy (json_object_get_member (answer, "return"));
  shown = g_strescape (text != NULL ? text : "no reason given", NULL);
  g_set_error (error, SP_ERROR, SP_ERROR_REFUSED, "QEMU refused %s: %.200s", command, shown);
  return NULL;
}

JsonNode *
sp_qemu_monitor_call (SpQemuMonitor *monitor, const char *command, const char *arguments,
                      GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonNode) answer = NULL;

  g_clear_pointer (&monitor->answer, json_node_unref);
  if (!send_command (monitor, command, arguments, error))
    return NULL;
  if (!sp_qemu_wait (cancellable, CALL_MS, is_answered, monitor)) {
    (void) fail (error, "does not answer");
    return NULL;
  }
  answer = g_steal_pointer (&monitor->answer);
  if (answer == NULL) {
    (void) fail (error, "closed the connection");
    return NULL;
  }
  return value_of (json_node_get_object (answer), command, error);
}

gboolean
sp_qemu_monitor_do (SpQemuMonitor *monitor, const char *command, GCancellable *cancellable,
                    GError **error)
{
  g_autoptr (JsonNode) value = sp_qemu_monitor_call (monitor, command, NULL, cancellable, error);

  return value != NULL;
}

/* ---- queries ---------------------------------------------------------------------------------------------- */

static const struct {
  const char *status;
  guint32 state;
} states[] = {
  { "running", SP_VM_RUNNING },       { "paused", SP_VM_PAUSED },
  { "prelaunch", SP_VM_PAUSED },      { "save-vm", SP_VM_PAUSED },
  { "restore-vm", SP_VM_PAUSED },     { "finish-migrate", SP_VM_PAUSED },
  { "postmigrate", SP_VM_PAUSED },    { "debug", SP_VM_PAUSED },
  { "suspended", SP_VM_PAUSED },      { "shutdown", SP_VM_STOPPED },
  { "guest-panicked", SP_VM_FAILED }, { "internal-error", SP_VM_FAILED },
  { "io-error", SP_VM_FAILED },
};

gboolean
sp_qemu_monitor_state (SpQemuMonitor *monitor, guint32 *ret_state, GCancellable *cancellable,
                       GError **error)
{
  g_autoptr (JsonNode) value =
      sp_qemu_monitor_call (monitor, "query-status", NULL, cancellable, error);
  const char *status;

  if (value == NULL)
    return FALSE;
  status = JSON_NODE_HOLDS_OBJECT (value) ? member_string (json_node_get_object (value), "status")
                                          : NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (states); i++)
    if (g_strcmp0 (states[i].status, status) == 0) {
      *ret_state = states[i].state;
      return TRUE;
    }
  return fail (error, "names a state that is not known");
}

gboolean
sp_qemu_monitor_acceleration (SpQemuMonitor *monitor, guint32 *ret_acceleration,
                              GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonNode) value =
      sp_qemu_monitor_call (monitor, "query-kvm", NULL, cancellable, error);
  JsonNode *enabled;

  if (value == NULL)
    return FALSE;
  enabled = JSON_NODE_HOLDS_OBJECT (value)
                ? json_object_get_member (json_node_get_object (value), "enabled")
                : NULL;
  if (enabled == NULL || json_node_get_value_type (enabled) != G_TYPE_BOOLEAN)
    return fail (error, "does not say whether it uses KVM");
  *ret_acceleration = json_node_get_boolean (enabled) ? SP_VM_KVM : SP_VM_EMULATED;
  return TRUE;
}
