/* rpc.c - lines in, lines out: the stream of rpc.h
 *
 * What must stay true: a secret is in no buffer that is not wiped; a peer that sends too much is cut off
 * from memory, not from service: what is over-long is skipped up to its newline.
 */
#include "base/rpc.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/problem.h"

#define MAX_QUEUED (16u * 1024u * 1024u)
#define MAX_LINES 16384u /* each is a mapping, and there can't be many */
#define REST_MS 50u

struct _SpRpc {
  grefcount refs;
  int fd;
  gboolean open;
  gboolean is_port; /* a serial port: its other end comes and goes */
  gboolean alone;   /* nobody is there */
  SpRpcFunc func;
  SpRpcClosed closed, left;
  gpointer data;
  GMainContext *context;
  GSource *reader, *writer;
  GSource *rest; /* nobody is at the other end of the port: until we look again */
  SpSecret *in;
  gsize in_length;
  gboolean skipping; /* the rest of a line that was too long */
  GQueue out;        /* SpSecret */
  gsize out_done, out_length;
};

/* ---- the stream --------------------------------------------------------------------------------------- */

static void
source_clear (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

SpRpc *
sp_rpc_ref (SpRpc *rpc)
{
  g_ref_count_inc (&rpc->refs);
  return rpc;
}

static void
shut (SpRpc *rpc)
{
  rpc->open = FALSE;
  source_clear (&rpc->reader);
  source_clear (&rpc->writer);
  source_clear (&rpc->rest);
  (void) close (rpc->fd);
  g_clear_pointer (&rpc->in, sp_secret_unref);
  g_queue_clear_full (&rpc->out, (GDestroyNotify) sp_secret_unref);
}

void
sp_rpc_close (SpRpc *rpc)
{
  if (rpc->open)
    shut (rpc);
}

void
sp_rpc_unref (SpRpc *rpc)
{
  if (rpc == NULL || !g_ref_count_dec (&rpc->refs))
    return;
  sp_rpc_close (rpc);
  g_main_context_unref (rpc->context);
  g_free (rpc);
}

gboolean
sp_rpc_is_open (SpRpc *rpc)
{
  return rpc->open;
}

gboolean
sp_rpc_has_unsent (SpRpc *rpc)
{
  return !g_queue_is_empty (&rpc->out);
}

gboolean
sp_rpc_is_alone (SpRpc *rpc)
{
  return rpc->alone;
}

void
sp_rpc_on_alone (SpRpc *rpc, SpRpcClosed alone)
{
  rpc->left = alone;
}

static void
ended (SpRpc *rpc)
{
  if (!rpc->open)
    return;
  shut (rpc);
  if (rpc->closed != NULL)
    rpc->closed (rpc, rpc->data);
}

static gboolean on_writable (int fd, GIOCondition condition, gpointer data);
static void begin_reading (SpRpc *rpc);
static void flush (SpRpc *rpc);

static gboolean
on_rested (gpointer data)
{
  SpRpc *rpc = sp_rpc_ref (data);

  source_clear (&rpc->rest);
  begin_reading (rpc);
  flush (rpc);
  sp_rpc_unref (rpc);
  return G_SOURCE_REMOVE;
}

/* A port without anybody at its other end is always "readable" (an end of file) and never writable, so
 * waiting for either would spin. */
static void
rest (SpRpc *rpc)
{
  source_clear (&rpc->reader);
  source_clear (&rpc->writer);
  if (rpc->rest != NULL)
    return;
  if (!rpc->alone) {
    rpc->alone = TRUE;
    if (rpc->left != NULL)
      rpc->left (rpc, rpc->data);
  }
  rpc->rest = g_timeout_source_new (REST_MS);
  g_source_set_callback (rpc->rest, on_rested, rpc, NULL);
  g_source_attach (rpc->rest, rpc->context);
}

static void
flush (SpRpc *rpc)
{
  while (rpc->open && !g_queue_is_empty (&rpc->out)) {
    SpSecret *line = g_queue_peek_head (&rpc->out);
    gssize n = write (rpc->fd, sp_secret_data (line) + rpc->out_done,
                      sp_secret_length (line) - rpc->out_done);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno != EAGAIN) {
      ended (rpc);
      return;
    }
    if (n < 0) {
      if (rpc->writer == NULL && rpc->rest == NULL) {
        rpc->writer = g_unix_fd_source_new (rpc->fd, G_IO_OUT);
        g_source_set_callback (rpc->writer, G_SOURCE_FUNC (on_writable), rpc, NULL);
        g_source_attach (rpc->writer, rpc->context);
      }
      return;
    }
    rpc->alone = FALSE;
    rpc->out_done += (gsize) n;
    rpc->out_length -= (gsize) n;
    if (rpc->out_done == sp_secret_length (line)) {
      sp_secret_unref (g_queue_pop_head (&rpc->out));
      rpc->out_done = 0;
    }
  }
  source_clear (&rpc->writer);
}

static gboolean
on_writable (int fd, GIOCondition condition, gpointer data)
{
  SpRpc *rpc = sp_rpc_ref (data);

  if (rpc->is_port && (condition & G_IO_HUP) != 0)
    rest (rpc);
  else
    flush (rpc);
  sp_rpc_unref (rpc);
  return G_SOURCE_CONTINUE;
}

static void
queue_line (SpRpc *rpc, SpSecret *line)
{
  rpc->out_length += sp_secret_length (line);
  g_queue_push_tail (&rpc->out, line);
  /* A peer that does not read must not fill our memory. */
  if (rpc->out_length > MAX_QUEUED || rpc->out.length > MAX_LINES)
    ended (rpc);
  else if (rpc->writer == NULL)
    flush (rpc);
}

void
sp_rpc_break_line (SpRpc *rpc)
{
  if (rpc->open)
    queue_line (rpc, sp_secret_new_from ("\n", 1));
}

void
sp_rpc_send (SpRpc *rpc, const SpRpcMessage *message)
{
  g_autoptr (GError) error = NULL;
  SpSecret *line;

  if (!rpc->open)
    return;
  line = sp_rpc_write (message, &error);
  if (line != NULL)
    queue_line (rpc, line);
  else if (message->method == NULL)
    sp_rpc_fail (rpc, message->id, error);
  else
    g_warning ("rpc: cannot send %s: %s", message->method, error->message);
}

void
sp_rpc_reply (SpRpc *rpc, const char *id, JsonNode *result)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (id, NULL);

  if (result == NULL) {
    result = json_node_new (JSON_NODE_OBJECT);
    json_node_take_object (result, json_object_new ());
  }
  message->result = result;
  sp_rpc_send (rpc, message);
}

void
sp_rpc_fail (SpRpc *rpc, const char *id, const GError *error)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (id, NULL);

  message->error = g_error_copy (error);
  sp_rpc_send (rpc, message);
}

/* Answer what has an id and is a request; drop everything else. */
static void
refuse_line (SpRpc *rpc, const char *line, gsize length, const GError *error)
{
  g_autoptr (JsonNode) root = sp_json_parse (line, length, 0, NULL);
  const char *id = NULL;

  if (root != NULL && JSON_NODE_HOLDS_OBJECT (root) &&
      json_object_has_member (json_node_get_object (root), "method"))
    (void) sp_json_get_string (json_node_get_object (root), "id", &id, NULL);
  if (id != NULL)
    sp_rpc_fail (rpc, id, error);
  else
    g_debug ("rpc: a line was dropped: %s", error->message);
}

static void
take_line (SpRpc *rpc, char *line, gsize length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpRpcMessage) message = NULL;

  if (length == 0)
    return;
  message = sp_rpc_read (line, length, &error);
  if (message != NULL)
    rpc->func (rpc, message, rpc->data);
  else
    refuse_line (rpc, line, length, error);
}

static void
take_lines (SpRpc *rpc)
{
  char *data = (char *) sp_secret_data (rpc->in);
  gsize start = 0;
  char *end;

  while (rpc->open && (end = memchr (data + start, '\n', rpc->in_length - start)) != NULL) {
    gsize length = (gsize) (end - data) - start;

    if (!rpc->skipping)
      take_line (rpc, data + start, length);
    rpc->skipping = FALSE;
    start += length + 1;
  }
  if (!rpc->open)
    return;
  memmove (data, data + start, rpc->in_length - start);
  sp_wipe (data + rpc->in_length - start, start);
  rpc->in_length -= start;
  if (rpc->in_length == SP_RPC_MAX_LINE) {
    rpc->skipping = TRUE;
    sp_wipe (data, rpc->in_length);
    rpc->in_length = 0;
  }
}

static gboolean
on_readable (int fd, GIOCondition condition, gpointer user_data)
{
  SpRpc *rpc = sp_rpc_ref (user_data);
  gssize n =
      read (rpc->fd, sp_secret_data (rpc->in) + rpc->in_length, SP_RPC_MAX_LINE - rpc->in_length);

  if (n > 0) {
    rpc->alone = FALSE;
    rpc->in_length += (gsize) n;
    take_lines (rpc);
  } else if (n == 0 && rpc->is_port) {
    rest (rpc);
  } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    ended (rpc);
  }
  sp_rpc_unref (rpc);
  return G_SOURCE_CONTINUE;
}

static void
begin_reading (SpRpc *rpc)
{
  rpc->reader = g_unix_fd_source_new (rpc->fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
  g_source_set_callback (rpc->reader, G_SOURCE_FUNC (on_readable), rpc, NULL);
  g_source_attach (rpc->reader, rpc->context);
}

static gboolean
is_port (int fd)
{
  struct stat st;

  return fstat (fd, &st) == 0 && S_ISCHR (st.st_mode);
}

SpRpc *
sp_rpc_new (int fd, SpRpcFunc func, SpRpcClosed closed, gpointer data)
{
  SpRpc *rpc = g_new0 (SpRpc, 1);

  g_ref_count_init (&rpc->refs);
  rpc->fd = fd;
  rpc->open = TRUE;
  rpc->func = func;
  rpc->closed = closed;
  rpc->data = data;
  rpc->in = sp_secret_new (SP_RPC_MAX_LINE);
  rpc->context = g_main_context_ref_thread_default ();
  (void) g_unix_set_fd_nonblocking (fd, TRUE, NULL);
  rpc->is_port = is_port (fd);
  begin_reading (rpc);
  return rpc;
}
