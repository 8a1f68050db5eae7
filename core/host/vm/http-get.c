/* http-get.c - http-get.h on libsoup, with a main context of its own */
#include "host/vm/http-get.h"

#include <libsoup/soup.h>

#include "base/problem.h"

#define MAX_BODY (64u * 1024u)

typedef struct {
  GMainContext *context;
  GCancellable *cancellable;
  GInputStream *stream;
  GBytes *body;
  GError *error;
  gboolean done;
} Get;

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  Get *get = data;
  g_autofree char *buffer = g_object_steal_data (source, "buffer");
  gsize n = 0;

  if (g_input_stream_read_all_finish (G_INPUT_STREAM (source), result, &n, &get->error))
    get->body = g_bytes_new (buffer, n);
  get->done = TRUE;
}

static void
on_sent (GObject *source, GAsyncResult *result, gpointer data)
{
  Get *get = data;
  char *buffer;

  get->stream = soup_session_send_finish (SOUP_SESSION (source), result, &get->error);
  if (get->stream == NULL) {
    get->done = TRUE;
    return;
  }
  buffer = g_malloc (MAX_BODY);
  g_object_set_data (G_OBJECT (get->stream), "buffer", buffer);
  g_input_stream_read_all_async (get->stream, buffer, MAX_BODY, G_PRIORITY_DEFAULT,
                                 get->cancellable, on_read, get);
}

static gboolean
on_late (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  return G_SOURCE_REMOVE;
}

static void
run (Get *get, SoupMessage *message, guint timeout_ms)
{
  g_autoptr (SoupSession) session =
      soup_session_new_with_options ("proxy-resolver", NULL, "timeout", 0, NULL);
  g_autoptr (GSource) timer = g_timeout_source_new (timeout_ms);

  g_source_set_callback (timer, on_late, get->cancellable, NULL);
  g_source_attach (timer, get->context);
  soup_session_send_async (session, message, G_PRIORITY_DEFAULT, get->cancellable, on_sent, get);
  while (!get->done)
    g_main_context_iteration (get->context, TRUE);
  g_source_destroy (timer);
  /* While its context is still this thread's own. */
  g_clear_object (&get->stream);
  soup_session_abort (session);
}

gboolean
sp_http_get (const char *url, guint timeout_ms, guint *ret_status, char **ret_body, GError **error)
{
  g_autoptr (SoupMessage) message = soup_message_new ("GET", url);
  Get get = { .context = g_main_context_new (), .cancellable = g_cancellable_new () };
  gboolean ok;

  soup_message_add_flags (message, SOUP_MESSAGE_NO_REDIRECT);
  g_main_context_push_thread_default (get.context);
  run (&get, message, timeout_ms);
  g_main_context_pop_thread_default (get.context);
  ok = get.body != NULL;
  if (ok) {
    gsize length;
    const char *data = g_bytes_get_data (get.body, &length);

    *ret_status = soup_message_get_status (message);
    *ret_body = g_utf8_make_valid (data ? data : "", (gssize) length);
  } else {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "%s does not answer: %s", url,
                 get.error->message);
  }
  g_clear_pointer (&get.body, g_bytes_unref);
  g_clear_error (&get.error);
  g_object_unref (get.cancellable);
  g_main_context_unref (get.context);
  return ok;
}
