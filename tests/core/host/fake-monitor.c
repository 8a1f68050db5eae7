/* fake-monitor.c - fake-monitor.h on a socket pair and a thread */
#include "fake-monitor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static gpointer
run (gpointer data)
{
  Fake *fake = data;

  fake->play (fake->fd);
  (void) close (fake->fd);
  return NULL;
}

int
fake_start (Fake *fake, FakeFunc play)
{
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  fake->fd = pair[0];
  fake->play = play;
  fake->thread = g_thread_new ("fake", run, fake);
  return pair[1];
}

void
fake_join (Fake *fake)
{
  (void) g_thread_join (fake->thread);
}

gboolean
fake_say_bytes (int fd, const char *data, gsize length)
{
  while (length > 0) {
    gssize n = send (fd, data, length, MSG_NOSIGNAL);

    if (n < 0)
      return FALSE;
    data += n;
    length -= (gsize) n;
  }
  return TRUE;
}

gboolean
fake_say (int fd, const char *text)
{
  return fake_say_bytes (fd, text, strlen (text));
}

gboolean
fake_repeat (int fd, const char *text, gsize times)
{
  for (gsize i = 0; i < times; i++)
    if (!fake_say (fd, text))
      return FALSE;
  return TRUE;
}

char *
fake_hear (int fd)
{
  g_autoptr (GString) line = g_string_new (NULL);
  char c;

  while (recv (fd, &c, 1, 0) == 1) {
    if (c == '\n')
      return g_string_free (g_steal_pointer (&line), FALSE);
    g_string_append_c (line, c);
  }
  return NULL;
}

gint64
fake_id (const char *line)
{
  const char *id = line ? strstr (line, "\"id\":") : NULL;

  return id ? g_ascii_strtoll (id + strlen ("\"id\":"), NULL, 10) : -1;
}

gboolean
fake_return (int fd, gint64 id, const char *json)
{
  g_autofree char *line =
      g_strdup_printf ("{\"return\": %s, \"id\": %" G_GINT64_FORMAT "}\r\n", json, id);

  return fake_say (fd, line);
}

gint64
fake_hear_id (int fd)
{
  g_autofree char *line = fake_hear (fd);

  return fake_id (line);
}

void
fake_greet (int fd)
{
  (void) fake_say (fd, GREETING);
  (void) fake_return (fd, fake_hear_id (fd), "{}");
}

void
fake_echo (int fd, const char *line)
{
  for (gsize i = 1; i <= strlen (line); i++) {
    g_autofree char *part = g_strndup (line, i);

    (void) fake_repeat (fd, "\033[D", i - 1);
    (void) fake_say (fd, part);
    (void) fake_say (fd, "\033[K");
  }
  (void) fake_say (fd, "\r\n");
}
