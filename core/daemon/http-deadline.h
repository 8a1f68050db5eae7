/* http-deadline.h - a deadline that costs nothing to move back
 *
 * A connection changes its deadline with each request, and almost never reaches it.  So the timer below
 * is moved only to make it earlier; where it goes off too early it is set anew.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  GSource *timer;
  gint64 deadline; /* monotonic, microseconds; -1: none */
  gint64 armed;    /* when the timer goes off: never later than the deadline; -1: never */
  gboolean woken;
  void (*func) (gboolean expired, gpointer data);
  gpointer data;
} SpHttpDeadline;

/* @func is called with TRUE when the deadline has passed, and with FALSE after a wake.  Works on the
 * thread-default GMainContext of the moment. */
void sp_http_deadline_init (SpHttpDeadline *self, void (*func) (gboolean expired, gpointer data),
                            gpointer data);
void sp_http_deadline_clear (SpHttpDeadline *self);
/* @ms from now; 0: none. */
void sp_http_deadline_set (SpHttpDeadline *self, guint ms);
/* Call @func in the next turn of the main context. */
void sp_http_deadline_wake (SpHttpDeadline *self);
