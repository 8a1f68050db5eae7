/* events.c - events.h
 *
 * libvirt takes one set of functions for the whole process and hands nothing back to them, so what they work
 * on is static: the only state of this plugin that is.  They are called from any thread, and so locked.
 *
 * What must stay true: a callback is never called after its watch was removed, and what it works with is
 * freed on the context, never inside the removal, where libvirt holds its own locks.
 */
#include "events.h"

#include <glib-unix.h>
#include <libvirt/libvirt.h>

typedef struct {
  gatomicrefcount refs;
  int id, fd; /* -1: a timer */
  virEventHandleCallback on_fd;
  virEventTimeoutCallback on_time;
  virFreeCallback free_data;
  void *data;
  GSource *source; /* NULL: asleep */
} Watch;

static struct {
  GMutex lock;
  GMainContext *context; /* NULL: it does not run */
  GMainLoop *loop;
  GThread *thread;
  GHashTable *watches; /* id -> Watch */
  int last;
} loop;

/* ---- watches ---------------------------------------------------------------------------------------- */

static void
watch_unref (gpointer data)
{
  Watch *watch = data;

  if (!g_atomic_ref_count_dec (&watch->refs))
    return;
  if (watch->free_data != NULL)
    watch->free_data (watch->data);
  g_free (watch);
}

static gboolean
is_there (const Watch *watch)
{
  gboolean there;

  g_mutex_lock (&loop.lock);
  there = g_hash_table_contains (loop.watches, GINT_TO_POINTER (watch->id));
  g_mutex_unlock (&loop.lock);
  return there;
}

static const struct {
  int theirs;
  GIOCondition ours;
} conditions[] = {
  { VIR_EVENT_HANDLE_READABLE, G_IO_IN },
  { VIR_EVENT_HANDLE_WRITABLE, G_IO_OUT },
  { VIR_EVENT_HANDLE_ERROR, G_IO_ERR },
  { VIR_EVENT_HANDLE_HANGUP, G_IO_HUP },
};

static GIOCondition
to_ours (int events)
{
  int out = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (conditions); i++)
    out |= (events & conditions[i].theirs) != 0 ? (int) conditions[i].ours : 0;
  return (GIOCondition) out;
}

static int
to_theirs (GIOCondition condition)
{
  int out = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (conditions); i++)
    out |= (condition & conditions[i].ours) != 0 ? conditions[i].theirs : 0;
  return out;
}

static gboolean
on_fd (int fd, GIOCondition condition, gpointer data)
{
  Watch *watch = data;

  if (is_there (watch))
    watch->on_fd (watch->id, fd, to_theirs (condition), watch->data);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_time (gpointer data)
{
  Watch *watch = data;

  if (is_there (watch))
    watch->on_time (watch->id, watch->data);
  return G_SOURCE_CONTINUE;
}

/* ---- under the lock --------------------------------------------------------------------------------- */

static void
put_to_sleep (Watch *watch)
{
  if (watch->source == NULL)
    return;
  g_source_destroy (watch->source);
  g_clear_pointer (&watch->source, g_source_unref);
}

/* Takes @source. */
static void
wake (Watch *watch, GSource *source, GSourceFunc func)
{
  g_atomic_ref_count_inc (&watch->refs);
  g_source_set_callback (source, func, watch, watch_unref);
  g_source_attach (source, loop.context);
  watch->source = source;
}

static void
set_events (Watch *watch, int events)
{
  put_to_sleep (watch);
  if (events != 0)
    wake (watch, g_unix_fd_source_new (watch->fd, to_ours (events)), G_SOURCE_FUNC (on_fd));
}

static void
set_interval (Watch *watch, int ms)
{
  put_to_sleep (watch);
  if (ms >= 0)
    wake (watch, g_timeout_source_new ((guint) ms), on_time);
}

static Watch *
watch_new (int fd, void *data, virFreeCallback free_data)
{
  Watch *watch = g_new0 (Watch, 1);

  g_atomic_ref_count_init (&watch->refs);
  watch->fd = fd;
  watch->data = data;
  watch->free_data = free_data;
  watch->id = ++loop.last;
  g_hash_table_insert (loop.watches, GINT_TO_POINTER (watch->id), watch);
  return watch;
}

/* ---- what libvirt calls ----------------------------------------------------------------------------- */

static int
add_handle (int fd, int events, virEventHandleCallback callback, void *data,
            virFreeCallback free_data)
{
  Watch *watch;
  int id;

  g_mutex_lock (&loop.lock);
  watch = watch_new (fd, data, free_data);
  watch->on_fd = callback;
  id = watch->id;
  set_events (watch, events);
  g_mutex_unlock (&loop.lock);
  return id;
}

static int
add_timeout (int ms, virEventTimeoutCallback callback, void *data, virFreeCallback free_data)
{
  Watch *watch;
  int id;

  g_mutex_lock (&loop.lock);
  watch = watch_new (-1, data, free_data);
  watch->on_time = callback;
  id = watch->id;
  set_interval (watch, ms);
  g_mutex_unlock (&loop.lock);
  return id;
}

static void
update (int id, int value, void (*set) (Watch *watch, int value))
{
  Watch *watch;

  g_mutex_lock (&loop.lock);
  watch = g_hash_table_lookup (loop.watches, GINT_TO_POINTER (id));
  if (watch != NULL)
    set (watch, value);
  g_mutex_unlock (&loop.lock);
}

static void
update_handle (int id, int events)
{
  update (id, events, set_events);
}

static void
update_timeout (int id, int ms)
{
  update (id, ms, set_interval);
}

static gboolean
on_removed (gpointer watch)
{
  return G_SOURCE_REMOVE;
}

static int
remove_watch (int id)
{
  g_autoptr (GSource) later = g_idle_source_new ();
  Watch *watch;

  g_mutex_lock (&loop.lock);
  watch = g_hash_table_lookup (loop.watches, GINT_TO_POINTER (id));
  if (watch != NULL) {
    g_hash_table_remove (loop.watches, GINT_TO_POINTER (id));
    /* The last reference goes there. */
    g_source_set_callback (later, on_removed, watch, watch_unref);
    put_to_sleep (watch);
    g_source_attach (later, loop.context);
  }
  g_mutex_unlock (&loop.lock);
  return watch != NULL ? 0 : -1;
}

static gpointer
run_loop (gpointer data)
{
  g_main_loop_run (data);
  return NULL;
}

void
sp_libvirt_events_begin (void)
{
  if (loop.thread != NULL)
    return;
  g_mutex_lock (&loop.lock);
  loop.context = g_main_context_new ();
  loop.loop = g_main_loop_new (loop.context, FALSE);
  if (loop.watches == NULL) {
    loop.watches = g_hash_table_new (NULL, NULL);
    virEventRegisterImpl (add_handle, update_handle, remove_watch, add_timeout, update_timeout,
                          remove_watch);
  }
  g_mutex_unlock (&loop.lock);
  loop.thread = g_thread_new ("libvirt-events", run_loop, loop.loop);
}

static gboolean
on_end (gpointer main_loop)
{
  g_main_loop_quit (main_loop);
  return G_SOURCE_REMOVE;
}

void
sp_libvirt_events_end (void)
{
  g_autoptr (GSource) end = g_idle_source_new ();

  if (loop.thread == NULL)
    return;
  /* After what is still to be freed, even where the loop has not begun yet. */
  g_source_set_callback (end, on_end, loop.loop, NULL);
  g_source_attach (end, loop.context);
  g_thread_join (g_steal_pointer (&loop.thread));
  g_mutex_lock (&loop.lock);
  g_clear_pointer (&loop.loop, g_main_loop_unref);
  g_clear_pointer (&loop.context, g_main_context_unref);
  g_mutex_unlock (&loop.lock);
}
