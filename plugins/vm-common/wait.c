/* wait.c - wait.h: sources that only wake the loop */
#include "wait.h"

static gboolean
on_wake (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static gboolean
on_cancelled (GCancellable *cancellable, gpointer data)
{
  return G_SOURCE_REMOVE;
}

/* Takes @source. */
static GSource *
attach (GSource *source, GSourceFunc func)
{
  g_source_set_callback (source, func, NULL, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  return source;
}

static void
detach (GSource *source)
{
  g_source_destroy (source);
  g_source_unref (source);
}

gboolean
sp_qemu_wait (GCancellable *cancellable, guint ms, SpQemuDone done, gpointer data)
{
  gint64 end = g_get_monotonic_time () + (gint64) ms * 1000;
  GSource *timer = attach (g_timeout_source_new (ms), on_wake);
  GSource *cancel = cancellable != NULL ? attach (g_cancellable_source_new (cancellable),
                                                  G_SOURCE_FUNC (on_cancelled))
                                        : NULL;
  gboolean ok;

  while (!(ok = done (data)) && !g_cancellable_is_cancelled (cancellable) &&
         g_get_monotonic_time () < end)
    g_main_context_iteration (g_main_context_get_thread_default (), TRUE);
  detach (timer);
  if (cancel != NULL)
    detach (cancel);
  return ok;
}
