/* load.h - a plain HTTP client that is faster than what it measures: keep-alive, one thread each */
#pragma once

#include <gio/gio.h>

typedef struct {
  guint16 port;
  guint connections;
  double seconds;
  const char *request; /* the whole request, head and body; sent again and again */
  guint status;        /* that every answer must have */
} SpLoad;

typedef struct {
  guint64 answers;
  double seconds;
} SpLoadResult;

/* FALSE: an answer was not as expected, or the server closed. */
gboolean sp_load_run (const SpLoad *load, SpLoadResult *ret_result, GError **error);

/* A connection that stays open; -1: none. */
int sp_load_dial (guint16 port);
/* One request on it; the whole answer, head and body.  Free it. */
char *sp_load_once (int fd, const char *request, GError **error);
