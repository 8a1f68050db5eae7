/* answer-socket.c - answer-socket.h
 *
 * What must stay true: nobody but root and the running user is heard; a client that says nothing, or too
 * much, costs no more than its place for a while; a socket at which another program listens is left to it.
 */
#include "answer-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 8
#define MAX_CLIENTS 16u
#define MAX_LINE 4096u
#define SAY_MS 5000u

struct _NxSocket {
  SpHost *host;
  GMainContext *context;
  int folder, listener; /* -1: not open */
  struct stat file;     /* of the socket that was made; st_ino 0: none */
  char *name;           /* in the folder */
  GSource *source;
  GPtrArray *clients;
};

typedef struct {
  NxSocket *socket;
  int fd;
  uid_t uid;
  GSource *source, *timer;
  char line[MAX_LINE];
  gsize length;
} Client;

static void
source_clear (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

/* ---- one client ------------------------------------------------------------------------------------- */

static void
client_free (gpointer data)
{
  Client *client = data;

  source_clear (&client->source);
  source_clear (&client->timer);
  (void) close (client->fd);
  g_free (client);
}

static void
client_drop (Client *client)
{
  (void) g_ptr_array_remove_fast (client->socket->clients, client);
}

static void
client_say (Client *client, JsonObject *object)
{
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;
  g_autofree char *line = NULL;

  json_node_take_object (root, object);
  text = json_to_string (root, FALSE);
  line = g_strconcat (text, "\n", NULL);
  /* It fits into the socket's buffer, or the client is not worth the wait. */
  (void) send (client->fd, line, strlen (line), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static JsonObject *
answer (Client *client, const NxAnswer *given)
{
  g_autofree char *evidence = g_strdup_printf ("answer socket, uid %u", (guint) client->uid);
  const SpAnswer answer = { .size = sizeof answer,
                            .notice_id = given->notice,
                            .choice_id = given->choice,
                            .person = given->person,
                            .evidence = evidence };
  g_autofree char *text = NULL;
  SpAnswerResult result = sp_answer (client->socket->host, &answer, &text);
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "result", nx_result_word (result));
  if (text != NULL)
    json_object_set_string_member (object, "text", text);
  return object;
}

static void
client_take (Client *client, gsize length)
{
  g_auto (NxAnswer) given = { .notice = NULL };
  g_autoptr (GError) error = NULL;
  JsonObject *object;

  if (nx_answer_read (client->socket->host, client->line, length, TRUE, &given, &error)) {
    client_say (client, answer (client, &given));
    return;
  }
  object = json_object_new ();
  json_object_set_string_member (object, "error", error->message);
  client_say (client, object);
}

static gboolean
on_readable (int fd, GIOCondition condition, gpointer data)
{
  Client *client = data;
  gssize n = read (fd, client->line + client->length, MAX_LINE - client->length);
  const char *end;

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return G_SOURCE_CONTINUE;
  client->length += (gsize) MAX (n, 0);
  end = memchr (client->line, '\n', client->length);
  if (end != NULL)
    client_take (client, (gsize) (end - client->line));
  else if (n > 0 && client->length < MAX_LINE)
    return G_SOURCE_CONTINUE;
  client_drop (client);
  return G_SOURCE_REMOVE;
}

static gboolean
on_silent (gpointer data)
{
  client_drop (data);
  return G_SOURCE_REMOVE;
}

static gboolean
may_be_here (int fd, uid_t *ret_uid)
{
  struct ucred peer;
  socklen_t length = sizeof peer;

  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
    return FALSE;
  *ret_uid = peer.uid;
  return peer.uid == 0 || peer.uid == geteuid ();
}

static gboolean
on_connection (int listener, GIOCondition condition, gpointer data)
{
  NxSocket *socket = data;
  int fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  Client *client;
  uid_t uid = 0;

  if (fd < 0)
    return G_SOURCE_CONTINUE;
  if (!may_be_here (fd, &uid) || socket->clients->len >= MAX_CLIENTS) {
    (void) close (fd);
    return G_SOURCE_CONTINUE;
  }
  client = g_new0 (Client, 1);
  client->socket = socket;
  client->fd = fd;
  client->uid = uid;
  client->source = g_unix_fd_source_new (fd, G_IO_IN | G_IO_HUP);
  g_source_set_callback (client->source, G_SOURCE_FUNC (on_readable), client, NULL);
  g_source_attach (client->source, socket->context);
  client->timer = g_timeout_source_new (SAY_MS);
  g_source_set_callback (client->timer, on_silent, client, NULL);
  g_source_attach (client->timer, socket->context);
  g_ptr_array_add (socket->clients, client);
  return G_SOURCE_CONTINUE;
}

/* ---- the socket ------------------------------------------------------------------------------------- */

/* Only a refused connection says that nobody does. */
static gboolean
somebody_listens (const struct sockaddr_un *address)
{
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  gboolean refused = fd >= 0 &&
                     connect (fd, (const struct sockaddr *) address, sizeof *address) != 0 &&
                     errno == ECONNREFUSED;

  if (fd >= 0)
    (void) close (fd);
  return !refused;
}

/* Why there is no room for a socket; NULL: there is. */
static const char *
make_room (NxSocket *nx, const struct sockaddr_un *address)
{
  struct stat st;

  if (fstatat (nx->folder, nx->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? NULL : g_strerror (errno);
  if (!S_ISSOCK (st.st_mode))
    return "what lies there is no socket";
  if (somebody_listens (address))
    return "another program listens there: each notifier needs a socket of its own";
  return unlinkat (nx->folder, nx->name, 0) == 0 ? NULL : g_strerror (errno);
}

/* Through the folder's descriptor, so that a path may be longer than an address.  The mode of the
 * descriptor is the mode that bind() gives the file, so it is never looser. */
static const char *
try_to_listen (NxSocket *nx)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int n = g_snprintf (address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", nx->folder,
                      nx->name);
  const char *why = nx->folder < 0                       ? g_strerror (errno)
                    : n >= (int) sizeof address.sun_path ? g_strerror (ENAMETOOLONG)
                                                         : make_room (nx, &address);

  if (why != NULL)
    return why;
  nx->listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (nx->listener < 0 || fchmod (nx->listener, 0600) != 0 ||
      bind (nx->listener, (const struct sockaddr *) &address, sizeof address) != 0)
    return g_strerror (errno);
  if (fstatat (nx->folder, nx->name, &nx->file, AT_SYMLINK_NOFOLLOW) != 0 ||
      listen (nx->listener, BACKLOG) != 0)
    return g_strerror (errno);
  return NULL;
}

/* It may be somebody else's by now. */
static void
remove_file (NxSocket *nx)
{
  struct stat st;

  if (nx->file.st_ino != 0 && fstatat (nx->folder, nx->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
      st.st_dev == nx->file.st_dev && st.st_ino == nx->file.st_ino)
    (void) unlinkat (nx->folder, nx->name, 0);
}

NxSocket *
nx_socket_open (SpHost *host, const char *path, GError **error)
{
  NxSocket *socket = g_new0 (NxSocket, 1);
  g_autofree char *folder = g_path_get_dirname (path);
  const char *why;

  socket->host = host;
  socket->context = g_main_context_ref_thread_default ();
  socket->listener = -1;
  socket->name = g_path_get_basename (path);
  socket->folder = open (folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  socket->clients = g_ptr_array_new_with_free_func (client_free);
  why = try_to_listen (socket);
  if (why != NULL) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "cannot make the socket %s: %s", path, why);
    nx_socket_close (socket);
    return NULL;
  }
  socket->source = g_unix_fd_source_new (socket->listener, G_IO_IN);
  g_source_set_callback (socket->source, G_SOURCE_FUNC (on_connection), socket, NULL);
  g_source_attach (socket->source, socket->context);
  return socket;
}

void
nx_socket_close (NxSocket *socket)
{
  if (socket == NULL)
    return;
  source_clear (&socket->source);
  g_ptr_array_unref (socket->clients);
  remove_file (socket);
  if (socket->listener >= 0)
    (void) close (socket->listener);
  if (socket->folder >= 0)
    (void) close (socket->folder);
  g_main_context_unref (socket->context);
  g_free (socket->name);
  g_free (socket);
}
