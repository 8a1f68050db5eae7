/* load.c - load.h on blocking sockets */
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
  const SpLoad *load;
  guint64 answers;
  gint64 until_us;
  GError *error;
} Worker;

int
sp_load_dial (guint16 port)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = g_htons (port),
                                 .sin_addr = { g_htonl (INADDR_LOOPBACK) } };
  const int on = 1;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (connect (fd, (struct sockaddr *) &address, sizeof address) != 0) {
    (void) close (fd);
    return -1;
  }
  (void) setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/* One whole answer into @buffer.  Its length; 0: the server closed or sent too much. */
static gsize
read_answer (int fd, char *buffer, gsize size)
{
  gsize got = 0, want = 0;

  while (want == 0 || got < want) {
    gssize n = recv (fd, buffer + got, size - 1 - got, 0);
    const char *end, *length;

    if (n <= 0)
      return 0;
    got += (gsize) n;
    buffer[got] = 0;
    end = want == 0 ? strstr (buffer, "\r\n\r\n") : NULL;
    if (end == NULL)
      continue;
    length = g_strstr_len (buffer, end - buffer, "Content-Length: ");
    want = (gsize) (end + 4 - buffer) +
           (length ? (gsize) g_ascii_strtoull (length + 16, NULL, 10) : 0);
  }
  return got;
}

static gpointer
work (gpointer data)
{
  Worker *worker = data;
  const SpLoad *load = worker->load;
  gsize length = strlen (load->request);
  g_autofree char *expected = g_strdup_printf ("HTTP/1.1 %u ", load->status);
  char buffer[65536];
  int fd = sp_load_dial (load->port);

  while (fd >= 0 && worker->error == NULL && g_get_monotonic_time () < worker->until_us) {
    if (send (fd, load->request, length, MSG_NOSIGNAL) != (gssize) length ||
        read_answer (fd, buffer, sizeof buffer) == 0)
      worker->error = g_error_new (G_IO_ERROR, G_IO_ERROR_CLOSED, "the server closed");
    else if (!g_str_has_prefix (buffer, expected))
      worker->error = g_error_new (G_IO_ERROR, G_IO_ERROR_FAILED, "unexpected: %.200s", buffer);
    else
      worker->answers++;
  }
  if (fd < 0)
    worker->error = g_error_new (G_IO_ERROR, G_IO_ERROR_FAILED, "no connection");
  else
    (void) close (fd);
  return NULL;
}

gboolean
sp_load_run (const SpLoad *load, SpLoadResult *ret_result, GError **error)
{
  g_autofree Worker *workers = g_new0 (Worker, load->connections);
  g_autofree GThread **threads = g_new0 (GThread *, load->connections);
  gint64 start = g_get_monotonic_time ();

  *ret_result = (SpLoadResult){ 0 };
  for (guint i = 0; i < load->connections; i++) {
    workers[i].load = load;
    workers[i].until_us = start + (gint64) (load->seconds * G_USEC_PER_SEC);
    threads[i] = g_thread_new ("load", work, &workers[i]);
  }
  for (guint i = 0; i < load->connections; i++) {
    g_thread_join (threads[i]);
    ret_result->answers += workers[i].answers;
    if (workers[i].error != NULL && error != NULL && *error == NULL)
      g_propagate_error (error, g_steal_pointer (&workers[i].error));
    g_clear_error (&workers[i].error);
  }
  ret_result->seconds = (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC;
  return error == NULL || *error == NULL;
}

char *
sp_load_once (int fd, const char *request, GError **error)
{
  char buffer[65536];
  gsize got = 0;

  if (fd >= 0 && send (fd, request, strlen (request), MSG_NOSIGNAL) > 0)
    got = read_answer (fd, buffer, sizeof buffer);
  if (got == 0)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "no answer");
  return got ? g_strndup (buffer, got) : NULL;
}
