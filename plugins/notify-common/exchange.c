/* exchange.c - exchange.h on libsoup */
#include "exchange.h"

#include <secret-proxy/plugin.h>

#define CHUNK 16384u
#define CLOSE_WAIT_MS 1000u
#define LAST_TURNS 100u
#define MAX_INTERIM 16u /* answers 1xx before the real one */

struct _NcSession {
  GMainContext *context;
  SoupSession *soup;
  GHashTable *exchanges; /* NcExchange, as a set */
  gboolean closed;
};

struct _NcExchange {
  NcSession *session;
  NcRequest request;
  GSource *timer;
  GCancellable *cancellable;
  GInputStream *stream;
  GByteArray *buffer;
  guint n_interim;
  gboolean written, late;
};

/* ---- the end of an exchange ------------------------------------------------------------------------------ */

static void
exchange_free (NcExchange *exchange)
{
  g_source_destroy (exchange->timer);
  g_source_unref (exchange->timer);
  g_clear_object (&exchange->cancellable);
  g_clear_object (&exchange->request.message);
  g_clear_object (&exchange->stream);
  g_byte_array_unref (exchange->buffer);
  g_free (exchange);
}

static void
finish (NcExchange *exchange, NcEnd *end)
{
  const guint8 nothing = 0;

  end->message = exchange->request.message;
  end->written = exchange->written;
  end->length = exchange->buffer->len;
  g_byte_array_append (exchange->buffer, &nothing, 1);
  end->body = (const char *) exchange->buffer->data;
  g_hash_table_steal (exchange->session->exchanges, exchange);
  exchange->request.done (end, exchange->request.data);
  exchange_free (exchange);
}

static void
fail (NcExchange *exchange, const GError *error)
{
  gboolean babbles = exchange->n_interim > MAX_INTERIM;
  NcEnd end = { .error = error, .what = error->message };

  if (babbles)
    end.what = "it answers with 1xx without end";
  else if (exchange->late)
    end.what = "no whole answer in time";
  else
    end.cancelled = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  finish (exchange, &end);
}

static void
succeed (NcExchange *exchange, gboolean complete)
{
  NcEnd end = { .complete = complete };

  finish (exchange, &end);
}

/* ---- its way ------------------------------------------------------------------------------------------------ */

static void on_chunk (GObject *source, GAsyncResult *res, gpointer data);

static void
read_on (NcExchange *exchange)
{
  g_input_stream_read_bytes_async (exchange->stream, CHUNK, G_PRIORITY_DEFAULT,
                                   exchange->cancellable, on_chunk, exchange);
}

static void
on_chunk (GObject *source, GAsyncResult *res, gpointer data)
{
  NcExchange *exchange = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) chunk = g_input_stream_read_bytes_finish (exchange->stream, res, &error);
  gsize room = exchange->request.most - exchange->buffer->len;
  gsize length;

  if (chunk == NULL) {
    fail (exchange, error);
    return;
  }
  length = g_bytes_get_size (chunk);
  g_byte_array_append (exchange->buffer, g_bytes_get_data (chunk, NULL),
                       (guint) MIN (room, length));
  if (length == 0 || length > room)
    succeed (exchange, length == 0);
  else
    read_on (exchange);
}

static void
on_head (GObject *source, GAsyncResult *res, gpointer data)
{
  NcExchange *exchange = data;
  g_autoptr (GError) error = NULL;

  exchange->stream = soup_session_send_finish (SOUP_SESSION (source), res, &error);
  if (exchange->stream == NULL)
    fail (exchange, error);
  else
    read_on (exchange);
}

static gboolean
on_late (gpointer data)
{
  NcExchange *exchange = data;

  exchange->late = TRUE;
  g_cancellable_cancel (exchange->cancellable);
  return G_SOURCE_REMOVE;
}

static void
on_written (SoupMessage *message, NcExchange *exchange)
{
  exchange->written = TRUE;
}

/* libsoup reads on as long as they come, and nothing else runs meanwhile. */
static void
on_interim (SoupMessage *message, NcExchange *exchange)
{
  if (++exchange->n_interim > MAX_INTERIM)
    g_cancellable_cancel (exchange->cancellable);
}

static GSource *
start_timer (GMainContext *context, guint delay, GSourceFunc func, gpointer data)
{
  GSource *timer = g_timeout_source_new (delay);

  g_source_set_callback (timer, func, data, NULL);
  g_source_attach (timer, context);
  return timer;
}

NcExchange *
nc_exchange (NcSession *session, const NcRequest *request)
{
  NcExchange *exchange = g_new0 (NcExchange, 1);

  exchange->session = session;
  exchange->request = *request;
  exchange->cancellable = g_cancellable_new ();
  exchange->buffer = g_byte_array_new ();
  exchange->timer = start_timer (session->context, request->timeout, on_late, exchange);
  soup_message_add_flags (request->message, SOUP_MESSAGE_NO_REDIRECT);
  g_signal_connect (request->message, "wrote-headers", G_CALLBACK (on_written), exchange);
  g_signal_connect (request->message, "got-informational", G_CALLBACK (on_interim), exchange);
  g_hash_table_add (session->exchanges, exchange);
  if (session->closed)
    g_cancellable_cancel (exchange->cancellable);
  soup_session_send_async (session->soup, request->message, G_PRIORITY_DEFAULT,
                           exchange->cancellable, on_head, exchange);
  return exchange;
}

void
nc_exchange_cancel (NcExchange *exchange)
{
  g_cancellable_cancel (exchange->cancellable);
}

/* ---- the session ------------------------------------------------------------------------------------------- */

static SoupSession *
new_soup (guint connections, GTlsDatabase *database)
{
  SoupSession *soup =
      g_object_new (SOUP_TYPE_SESSION, "max-conns", connections, "max-conns-per-host", connections,
                    "timeout", 0u, "proxy-resolver", NULL, "user-agent", "secret-proxy", NULL);

  if (database != NULL)
    soup_session_set_tls_database (soup, database);
  soup_session_remove_feature_by_type (soup, SOUP_TYPE_CONTENT_DECODER);
  soup_session_remove_feature_by_type (soup, SOUP_TYPE_AUTH_MANAGER);
  return soup;
}

NcSession *
nc_session_new (GMainContext *context, guint connections, const char *ca_file, GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autoptr (GTlsDatabase) database = ca_file ? g_tls_file_database_new (ca_file, &why) : NULL;
  NcSession *session;

  if (why != NULL) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "cannot use the certificates in ca-file %s: %s",
                 ca_file, why->message);
    return NULL;
  }
  session = g_new0 (NcSession, 1);
  session->context = g_main_context_ref (context);
  session->soup = new_soup (connections, database);
  session->exchanges = g_hash_table_new (NULL, NULL);
  return session;
}

static gboolean
on_close_late (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

void
nc_session_close (NcSession *session)
{
  g_autoptr (GList) exchanges = g_hash_table_get_keys (session->exchanges);
  gboolean late = FALSE;
  g_autoptr (GSource) timer = start_timer (session->context, CLOSE_WAIT_MS, on_close_late, &late);

  session->closed = TRUE;
  for (GList *at = exchanges; at != NULL; at = at->next)
    nc_exchange_cancel (at->data);
  while (g_hash_table_size (session->exchanges) > 0 && !late)
    g_main_context_iteration (session->context, TRUE);
  g_source_destroy (timer);
  soup_session_abort (session->soup);
  /* What was idle gives back what it holds. */
  for (guint i = 0; i < LAST_TURNS && g_main_context_iteration (session->context, FALSE); i++)
    ;
}

gboolean
nc_session_free (NcSession *session)
{
  if (g_hash_table_size (session->exchanges) > 0)
    return FALSE;
  g_object_unref (session->soup);
  g_hash_table_unref (session->exchanges);
  g_main_context_unref (session->context);
  g_free (session);
  return TRUE;
}
