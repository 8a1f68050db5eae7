/* fake-monitor.h - the other end of a monitor: what it says is up to a test */
#pragma once

#include <gio/gio.h>

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"
#define BANNER "QEMU 7.2.0 monitor - type 'help' for more information\r\n(qemu) "

/* Plays the other end of @fd, in a thread of its own; the socket is closed when it returns. */
typedef void (*FakeFunc) (int fd);

typedef struct {
  GThread *thread;
  int fd;
  FakeFunc play;
} Fake;

/* Returns the descriptor for a client. */
int fake_start (Fake *fake, FakeFunc play);
/* Wait until it has played to the end; the client must be gone, or it must not wait for it. */
void fake_join (Fake *fake);

/* FALSE: nobody reads any more. */
gboolean fake_say (int fd, const char *text);
gboolean fake_say_bytes (int fd, const char *data, gsize length);
gboolean fake_repeat (int fd, const char *text, gsize times);
/* A line without its end; NULL: nobody speaks any more. */
char *fake_hear (int fd);

/* The number of a QMP command. */
gint64 fake_id (const char *line);
gboolean fake_return (int fd, gint64 id, const char *json);
/* Greeting and capabilities. */
void fake_greet (int fd);
/* The next command's number. */
gint64 fake_hear_id (int fd);
/* What a human monitor shows while @line is typed. */
void fake_echo (int fd, const char *line);
