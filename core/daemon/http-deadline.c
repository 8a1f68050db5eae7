/* http-deadline.c - http-deadline.h on one source that has nothing but a ready time */
#include "daemon/http-deadline.h"

static void
arm (SpHttpDeadline *self, gint64 when)
{
  self->armed = when;
  g_source_set_ready_time (self->timer, when);
}

static gboolean
on_timer (gpointer data)
{
  SpHttpDeadline *self = data;
  gboolean expired = self->deadline >= 0 && self->deadline <= g_get_monotonic_time ();
  gboolean woken = self->woken;

  self->woken = FALSE;
  if (expired)
    self->deadline = -1;
  arm (self, self->deadline);
  if (expired || woken)
    self->func (expired, self->data); /* may free what this is part of */
  return G_SOURCE_CONTINUE;
}

static gboolean
timer_dispatch (GSource *source, GSourceFunc func, gpointer data)
{
  return func (data);
}

static GSourceFuncs timer_funcs = { .dispatch = timer_dispatch };

void
sp_http_deadline_init (SpHttpDeadline *self, void (*func) (gboolean expired, gpointer data),
                       gpointer data)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  *self = (SpHttpDeadline){ .deadline = -1, .armed = -1, .func = func, .data = data };
  self->timer = g_source_new (&timer_funcs, sizeof (GSource));
  g_source_set_callback (self->timer, on_timer, self, NULL);
  g_source_attach (self->timer, context);
}

void
sp_http_deadline_clear (SpHttpDeadline *self)
{
  if (self->timer == NULL)
    return;
  g_source_destroy (self->timer);
  g_clear_pointer (&self->timer, g_source_unref);
}

void
sp_http_deadline_set (SpHttpDeadline *self, guint ms)
{
  self->deadline = ms > 0 ? g_get_monotonic_time () + (gint64) ms * 1000 : -1;
  if (self->deadline >= 0 && (self->armed < 0 || self->deadline < self->armed))
    arm (self, self->deadline);
}

void
sp_http_deadline_wake (SpHttpDeadline *self)
{
  self->woken = TRUE;
  arm (self, 0);
}
