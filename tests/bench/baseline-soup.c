/* baseline-soup.c - the least that an HTTP handler on libsoup can do: what polls are compared with
 *
 * One process, plain HTTP, a constant body of the size of a real answer.  Prints its port.
 */
#include <libsoup/soup.h>
#include <stdio.h>

static const char body[] = "{\"id\":\"0123456789012345678901\",\"status\":\"pending\",\"secret\":"
                           "\"db\",\"reason\":\"bench\","
                           "\"code\":\"MWRJ\",\"created_at\":\"2026-01-01T00:00:00Z\",\"expires_"
                           "at\":\"2026-01-01T00:10:00Z\"}";

static void
handle (SoupServer *server, SoupServerMessage *message, const char *path, GHashTable *query,
        gpointer data)
{
  soup_server_message_set_status (message, 200, NULL);
  soup_server_message_set_response (message, "application/json", SOUP_MEMORY_STATIC, body,
                                    sizeof body - 1);
}

int
main (void)
{
  g_autoptr (SoupServer) server = soup_server_new (NULL, NULL);
  g_autoptr (GError) error = NULL;
  GSList *uris;

  soup_server_add_handler (server, NULL, handle, NULL, NULL);
  if (!soup_server_listen_local (server, 0, SOUP_SERVER_LISTEN_IPV4_ONLY, &error))
    g_error ("%s", error->message);
  uris = soup_server_get_uris (server);
  g_print ("%d\n", g_uri_get_port (uris->data));
  (void) fflush (stdout);
  g_slist_free_full (uris, (GDestroyNotify) g_uri_unref);
  g_main_loop_run (g_main_loop_new (NULL, FALSE));
  return 0;
}
