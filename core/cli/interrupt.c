/* interrupt.c - SIGINT and SIGTERM as a GCancellable, for calls that block
 *
 * A thread with a main context of its own hears the signals, since the main thread is inside a call.
 */
#include <glib-unix.h>
#include <signal.h>

#include "cli/ask.h"

struct _SpInterrupt {
  GCancellable *cancellable;
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread;
};

static gboolean
on_signal (gpointer data)
{
  g_cancellable_cancel (data);
  return G_SOURCE_CONTINUE;
}

static void
hear (SpInterrupt *interrupt, int number)
{
  g_autoptr (GSource) source = g_unix_signal_source_new (number);

  g_source_set_callback (source, on_signal, interrupt->cancellable, NULL);
  g_source_attach (source, interrupt->context);
}

static gpointer
run (gpointer data)
{
  g_main_loop_run (((SpInterrupt *) data)->loop);
  return NULL;
}

SpInterrupt *
sp_interrupt_new (void)
{
  SpInterrupt *interrupt = g_new0 (SpInterrupt, 1);

  interrupt->cancellable = g_cancellable_new ();
  interrupt->context = g_main_context_new ();
  interrupt->loop = g_main_loop_new (interrupt->context, FALSE);
  hear (interrupt, SIGINT);
  hear (interrupt, SIGTERM);
  interrupt->thread = g_thread_new ("signals", run, interrupt);
  return interrupt;
}

static gboolean
quit (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

void
sp_interrupt_free (SpInterrupt *interrupt)
{
  if (interrupt == NULL)
    return;
  /* From inside the loop: it may not have begun yet. */
  g_main_context_invoke_full (interrupt->context, G_PRIORITY_DEFAULT, quit, interrupt->loop, NULL);
  (void) g_thread_join (interrupt->thread);
  g_main_loop_unref (interrupt->loop);
  g_main_context_unref (interrupt->context);
  g_object_unref (interrupt->cancellable);
  g_free (interrupt);
}

GCancellable *
sp_interrupt_cancellable (SpInterrupt *interrupt)
{
  return interrupt->cancellable;
}
