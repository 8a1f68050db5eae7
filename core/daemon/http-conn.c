/* http-conn.c - the states of http-conn.h
 *
 * Each state has one step: a function that does what can be done now.  TRUE: go on, the state may be
 * another; FALSE: wait for the channel or the deadline.  run() is the only loop, so that an answer given
 * at once does not nest, and it gives way to other connections after a while.
 *
 * What must stay true: after CLOSED no source of the connection exists and no call of the handler comes;
 * what held a request or a value is wiped.
 */
#include "daemon/http-conn.h"

#include <string.h>

#include "base/problem.h"
#include "daemon/http-channel.h"
#include "daemon/http-deadline.h"

#define BUFFER_FIRST 2048u
#define BUFFER_MAX (SP_HTTP_MAX_HEAD + SP_HTTP_MAX_BODY)
#define OUT_KEEP 16384u   /* do not keep a larger buffer for answers */
#define LINGER_MAX 65536u /* bytes thrown away after the last answer */
#define STEPS_MAX 64u     /* before other connections get their turn */

typedef enum {
  STATE_FIRST,     /* waiting for the first byte */
  STATE_HANDSHAKE, /* TLS */
  STATE_HEAD,
  STATE_BODY,
  STATE_SERVED, /* the handler has it */
  STATE_WRITE,
  STATE_LINGER,
  STATE_CLOSED,
  N_STATES
} State;

struct _SpHttpConn {
  grefcount refs;
  const SpHttpConnSetup *setup;
  SpHttpPeer peer;
  SpHttpChannel *channel; /* NULL: closed */
  State state;
  gboolean running; /* in run() */

  SpHttpDeadline deadline;
  gboolean started; /* the deadline is that of a head that has begun */

  guint8 *in;
  gsize in_length, in_size;
  gsize scanned; /* of the head: as far as it was looked through, or its length */
  SpHttpRequest request;

  GString *out;
  SpSecret *secret; /* follows @out */
  gsize written;    /* of both */
  gboolean last;    /* close after this answer */
  gsize drained;
};

const SpHttpDeadlines sp_http_deadlines = {
  .head = 5000,
  .body = 10000,
  .idle = 15000,
  .write = 10000,
  .handshake = 5000,
  .linger = 2000,
};

static void run (SpHttpConn *conn);

static void
enter (SpHttpConn *conn, State state, guint deadline)
{
  conn->state = state;
  sp_http_deadline_set (&conn->deadline, deadline);
}

/* ---- life --------------------------------------------------------------------------------------- */

static void
drop_input (SpHttpConn *conn, gsize length)
{
  gsize rest = conn->in_length - length;

  memmove (conn->in, conn->in + length, rest);
  sp_wipe (conn->in + rest, length);
  conn->in_length = rest;
}

static void
drop_output (SpHttpConn *conn)
{
  sp_wipe (conn->out->str, conn->out->len);
  if (conn->out->allocated_len > OUT_KEEP) {
    g_string_free (conn->out, TRUE);
    conn->out = g_string_sized_new (BUFFER_FIRST);
  }
  g_string_truncate (conn->out, 0);
  g_clear_pointer (&conn->secret, sp_secret_unref);
  conn->written = 0;
}

void
sp_http_conn_close (SpHttpConn *conn)
{
  if (conn->state == STATE_CLOSED)
    return;
  sp_http_conn_ref (conn);
  conn->state = STATE_CLOSED;
  sp_http_deadline_clear (&conn->deadline);
  g_clear_pointer (&conn->channel, sp_http_channel_free);
  drop_output (conn);
  drop_input (conn, conn->in_length);
  conn->setup->closed (conn, conn->setup->closed_data);
  sp_http_conn_unref (conn);
}

static void
on_ready (gpointer data)
{
  run (data);
}

static void
on_deadline (gboolean expired, gpointer data)
{
  if (expired)
    sp_http_conn_close (data);
  else
    run (data);
}

SpHttpConn *
sp_http_conn_new (GSocketConnection *socket, GTlsCertificate *certificate,
                  const SpHttpConnSetup *setup)
{
  g_autoptr (GSocketAddress) address = g_socket_connection_get_remote_address (socket, NULL);
  SpHttpConn *conn = g_new0 (SpHttpConn, 1);

  g_ref_count_init (&conn->refs);
  conn->setup = setup;
  sp_http_peer_init (&conn->peer, address);
  conn->out = g_string_sized_new (BUFFER_FIRST);
  conn->in = g_malloc (BUFFER_FIRST);
  conn->in_size = BUFFER_FIRST;
  conn->channel = sp_http_channel_new (socket, certificate, on_ready, conn);
  sp_http_deadline_init (&conn->deadline, on_deadline, conn);
  conn->started = TRUE;
  enter (conn, STATE_FIRST, setup->deadlines->head);
  return conn;
}

SpHttpConn *
sp_http_conn_ref (SpHttpConn *conn)
{
  g_ref_count_inc (&conn->refs);
  return conn;
}

void
sp_http_conn_unref (SpHttpConn *conn)
{
  if (conn == NULL || !g_ref_count_dec (&conn->refs))
    return;
  g_free (conn->in);
  g_string_free (conn->out, TRUE);
  g_free (conn);
}

const SpHttpPeer *
sp_http_conn_peer (SpHttpConn *conn)
{
  return &conn->peer;
}

/* ---- opening ------------------------------------------------------------------------------------ */

static gboolean
step_first (SpHttpConn *conn)
{
  SpHttpIo io = sp_http_channel_open (conn->channel);

  if (io == SP_HTTP_IO_END) {
    sp_http_conn_close (conn);
    return FALSE;
  }
  conn->request.tls = sp_http_channel_is_tls (conn->channel);
  if (io == SP_HTTP_IO_WAIT && conn->request.tls && conn->state == STATE_FIRST)
    enter (conn, STATE_HANDSHAKE, conn->setup->deadlines->handshake);
  else if (io == SP_HTTP_IO_DONE && conn->state == STATE_HANDSHAKE)
    enter (conn, STATE_HEAD, conn->setup->deadlines->head);
  else if (io == SP_HTTP_IO_DONE)
    conn->state = STATE_HEAD; /* the deadline goes on */
  return io == SP_HTTP_IO_DONE;
}

/* ---- requests ----------------------------------------------------------------------------------- */

/* The largest message fits into BUFFER_MAX, so a full buffer always holds a whole one. */
static void
make_room (SpHttpConn *conn)
{
  gsize size = MIN (conn->in_size * 4, BUFFER_MAX);
  guint8 *bigger;

  if (conn->in_length < conn->in_size)
    return;
  bigger = g_malloc (size);
  memcpy (bigger, conn->in, conn->in_length);
  sp_wipe (conn->in, conn->in_size);
  g_free (conn->in);
  conn->in = bigger;
  conn->in_size = size;
}

/* FALSE: nothing to read now, or the connection is closed. */
static gboolean
fill (SpHttpConn *conn)
{
  gsize n = 0;
  SpHttpIo io;

  make_room (conn);
  io = sp_http_channel_read (conn->channel, conn->in + conn->in_length,
                             conn->in_size - conn->in_length, &n);
  conn->in_length += n;
  if (io == SP_HTTP_IO_END)
    sp_http_conn_close (conn);
  return io == SP_HTTP_IO_DONE;
}

/* The framing is lost: answer, and take no other request. */
static void
refuse (SpHttpConn *conn, const GError *error)
{
  conn->last = TRUE;
  conn->request.head = (SpHttpHead){ .method = SP_HTTP_OTHER };
  enter (conn, STATE_SERVED, 0);
  sp_http_conn_fail (conn, error, NULL);
}

static void
serve (SpHttpConn *conn)
{
  conn->request.body =
      (SpHttpSlice){ (const char *) conn->in + conn->scanned, conn->request.head.content_length };
  enter (conn, STATE_SERVED, 0);
  conn->setup->handler->serve (conn, &conn->request, conn->setup->data);
}

static void
take_head (SpHttpConn *conn)
{
  g_autoptr (GError) error = NULL;
  SpHttpHead *head = &conn->request.head;

  if (!sp_http_head_parse ((const char *) conn->in, conn->scanned, head, &error)) {
    refuse (conn, error);
    return;
  }
  conn->last = head->close;
  conn->request.route = NULL;
  enter (conn, STATE_SERVED, 0); /* so that the handler can refuse it */
  if (!conn->setup->handler->head (conn, &conn->request, conn->setup->data))
    return;
  if (head->content_length == 0)
    serve (conn);
  else
    enter (conn, STATE_BODY, conn->setup->deadlines->body);
}

static gboolean
step_head (SpHttpConn *conn)
{
  g_autoptr (GError) error = NULL;
  SpHttpScan scan =
      sp_http_head_scan ((const char *) conn->in, conn->in_length, &conn->scanned, &error);

  if (scan == SP_HTTP_SCAN_WHOLE)
    take_head (conn);
  else if (scan == SP_HTTP_SCAN_BAD)
    refuse (conn, error);
  else if (!fill (conn)) {
    if (conn->state == STATE_HEAD && conn->in_length > 0 && !conn->started) {
      conn->started = TRUE;
      sp_http_deadline_set (&conn->deadline, conn->setup->deadlines->head);
    }
    return FALSE;
  }
  return TRUE;
}

/* The buffer may move while the rest of the body comes, and the head is kept as slices of it. */
static gboolean
step_body (SpHttpConn *conn)
{
  if (conn->in_length - conn->scanned < conn->request.head.content_length)
    return fill (conn);
  if (sp_http_head_parse ((const char *) conn->in, conn->scanned, &conn->request.head, NULL))
    serve (conn);
  return TRUE;
}

static gboolean
step_wait (SpHttpConn *conn)
{
  return FALSE;
}

/* ---- answers ------------------------------------------------------------------------------------ */

void
sp_http_conn_respond (SpHttpConn *conn, const SpHttpResponse *response)
{
  const SpHttpHead *head = &conn->request.head;
  gboolean no_body = head->method == SP_HTTP_HEAD;

  if (conn->state != STATE_SERVED)
    return;
  /* The next message starts after a body that nobody is going to read. */
  if (conn->in_length < conn->scanned + head->content_length)
    conn->last = TRUE;
  sp_http_channel_watch_client (conn->channel, FALSE, NULL);
  sp_http_response_append (response, no_body, conn->last, conn->out);
  if (response->secret != NULL && !no_body)
    conn->secret = sp_secret_ref (response->secret);
  enter (conn, STATE_WRITE, conn->setup->deadlines->write);
  run (conn);
}

void
sp_http_conn_fail (SpHttpConn *conn, const GError *error, const char *allow)
{
  g_autoptr (GString) body = g_string_sized_new (256);
  SpHttpResponse response;

  sp_http_response_problem (error, allow, body, &response);
  sp_http_conn_respond (conn, &response);
}

/* What is left of the answer; returns the number of parts, 0: nothing. */
static gsize
unwritten (SpHttpConn *conn, GOutputVector parts[2])
{
  gsize head = conn->out->len;
  gsize body = conn->secret ? sp_secret_length (conn->secret) : 0;
  gsize n = 0;

  if (conn->written < head)
    parts[n++] = (GOutputVector){ conn->out->str + conn->written, head - conn->written };
  if (body > 0 && conn->written < head + body) {
    gsize done = conn->written > head ? conn->written - head : 0;

    parts[n++] = (GOutputVector){ sp_secret_data (conn->secret) + done, body - done };
  }
  return n;
}

static void
finish_answer (SpHttpConn *conn)
{
  drop_output (conn);
  if (conn->last) {
    sp_http_channel_finish (conn->channel);
    enter (conn, STATE_LINGER, conn->setup->deadlines->linger);
    return;
  }
  drop_input (conn, conn->scanned + conn->request.head.content_length);
  conn->scanned = 0;
  conn->started = FALSE;
  enter (conn, STATE_HEAD, conn->setup->deadlines->idle);
}

static gboolean
step_write (SpHttpConn *conn)
{
  GOutputVector parts[2];
  gsize n = unwritten (conn, parts);
  gsize written = 0;
  SpHttpIo io = SP_HTTP_IO_DONE;

  if (n == 0)
    finish_answer (conn);
  else
    io = sp_http_channel_write (conn->channel, parts, n, &written);
  conn->written += written;
  if (io == SP_HTTP_IO_END)
    sp_http_conn_close (conn);
  return io == SP_HTTP_IO_DONE;
}

/* Closing with unread bytes makes the kernel reset the connection, and the client may lose the last
 * answer: so what still comes is thrown away for a moment. */
static gboolean
step_linger (SpHttpConn *conn)
{
  gsize n = 0;
  SpHttpIo io = sp_http_channel_drain (conn->channel, &n);

  conn->drained += n;
  if (io == SP_HTTP_IO_END || conn->drained >= LINGER_MAX)
    sp_http_conn_close (conn);
  return io == SP_HTTP_IO_DONE;
}

static void
on_client_gone (gpointer data)
{
  sp_http_conn_close (data);
}

void
sp_http_conn_watch_client (SpHttpConn *conn)
{
  if (conn->state == STATE_SERVED)
    sp_http_channel_watch_client (conn->channel, TRUE, on_client_gone);
}

/* ---- the loop ----------------------------------------------------------------------------------- */

static gboolean (*const steps[N_STATES]) (SpHttpConn *conn) = {
  [STATE_FIRST] = step_first,   [STATE_HANDSHAKE] = step_first, [STATE_HEAD] = step_head,
  [STATE_BODY] = step_body,     [STATE_SERVED] = step_wait,     [STATE_WRITE] = step_write,
  [STATE_LINGER] = step_linger, [STATE_CLOSED] = step_wait,
};

static void
run (SpHttpConn *conn)
{
  guint n = 0;

  if (conn->running)
    return;
  sp_http_conn_ref (conn);
  conn->running = TRUE;
  while (n < STEPS_MAX && steps[conn->state](conn))
    n++;
  conn->running = FALSE;
  if (n == STEPS_MAX && conn->state != STATE_CLOSED)
    sp_http_deadline_wake (&conn->deadline);
  sp_http_conn_unref (conn);
}
