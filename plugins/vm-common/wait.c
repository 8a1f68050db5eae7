/* wait.c - wait.h: sources that only wake the loop */
#include "wait.h"

static gboolean
on_wake (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

/* In whatever thread cancels.  A GCancellableSource would do the same, but is never freed where the
 * cancelling and its end meet. */
static void
on_cancelled (GCancellable *cancellable, gpointer context)
{
  g_main_context_wakeup (context);
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
  GMainContext *context = g_main_context_get_thread_default ();
  gulong wake = 0;
  gboolean ok;

  if (cancellable != NULL)
    wake = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), context, NULL);
  while (!(ok = done (data)) && !g_cancellable_is_cancelled (cancellable) &&
         g_get_monotonic_time () < end)
    g_main_context_iteration (context, TRUE);
  detach (timer);
  g_cancellable_disconnect (cancellable, wake);
  return ok;
}
