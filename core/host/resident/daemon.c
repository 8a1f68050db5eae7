/* daemon.c - daemon.h on GSubprocess */
#include "host/resident/daemon.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/problem.h"
#include "host/program.h"

#define PROGRAM "secret-proxyd"
#define ADMIN_FD 3
#define STOP_MS 5000u
#define MAX_LINE 4096u

struct _SpDaemon {
  SpDaemonEvents events;
  gpointer data;
  GSubprocess *process;
  GCancellable *cancellable; /* ours: cancelled when the daemon is freed */
  int admin_fd;              /* our end, until it listens */
  GSource *kill_timer;
  char line[MAX_LINE];
  gsize length;
};

/* ---- starting ---------------------------------------------------------------------------------------- */

static GSubprocess *
spawn (const SpDaemonSetup *setup, int child_fd, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autofree char *program = sp_program_daemon (error);
  const char *const fixed[] = { "--admin-fd", G_STRINGIFY (ADMIN_FD),
                                "--listen",   setup->listen,
                                "--state",    setup->state };

  sp_program_bind (launcher);
  g_subprocess_launcher_take_fd (launcher, child_fd, ADMIN_FD);
  if (program == NULL)
    return NULL;
  g_ptr_array_add (argv, program);
  for (gsize i = 0; i < G_N_ELEMENTS (fixed); i++)
    g_ptr_array_add (argv, (gpointer) fixed[i]);
  g_ptr_array_add (argv, NULL);
  return g_subprocess_launcher_spawnv (launcher, (const char *const *) argv->pdata, error);
}

/* ---- its first line ------------------------------------------------------------------------------------- */

static gboolean
parse_line (const char *line, gsize length, char **ret_address, guint16 *ret_port)
{
  g_autoptr (JsonNode) root = sp_json_parse (line, length, 0, NULL);
  const char *listening = NULL, *colon;
  guint64 port;

  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root) ||
      !sp_json_get_string (json_node_get_object (root), "listening", &listening, NULL) ||
      listening == NULL)
    return FALSE;
  colon = strrchr (listening, ':');
  if (colon == NULL || !g_ascii_string_to_unsigned (colon + 1, 10, 1, 65535, &port, NULL))
    return FALSE;
  *ret_address = g_strndup (listening, (gsize) (colon - listening));
  *ret_port = (guint16) port;
  return TRUE;
}

static void
take_line (SpDaemon *daemon, gsize length)
{
  g_autofree char *address = NULL;
  guint16 port;
  int fd;

  if (!parse_line (daemon->line, length, &address, &port)) {
    g_warning (PROGRAM " said something unexpected instead of where it listens");
    g_subprocess_force_exit (daemon->process);
    return;
  }
  fd = daemon->admin_fd;
  daemon->admin_fd = -1;
  daemon->events.listening (address, port, fd, daemon->data);
}

static void read_more (SpDaemon *daemon, GInputStream *stream);

static void
on_read (GObject *stream, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  gssize n = g_input_stream_read_finish (G_INPUT_STREAM (stream), result, &error);
  SpDaemon *daemon = data;
  char *end;

  /* Where it was cancelled @data is no more.  At its end the process ends, too: see on_ended(). */
  if (n <= 0)
    return;
  daemon->length += (gsize) n;
  end = memchr (daemon->line, '\n', daemon->length);
  if (end != NULL)
    take_line (daemon, (gsize) (end - daemon->line));
  else if (daemon->length < MAX_LINE)
    read_more (daemon, G_INPUT_STREAM (stream));
  else
    g_subprocess_force_exit (daemon->process);
}

static void
read_more (SpDaemon *daemon, GInputStream *stream)
{
  g_input_stream_read_async (stream, daemon->line + daemon->length, MAX_LINE - daemon->length,
                             G_PRIORITY_DEFAULT, daemon->cancellable, on_read, daemon);
}

/* ---- its end ----------------------------------------------------------------------------------------------- */

static GError *
error_of_end (GSubprocess *process)
{
  int status;

  if (!g_subprocess_get_if_exited (process))
    return g_error_new (SP_PROBLEM, SP_PROBLEM_UNREACHABLE, PROGRAM " was ended by signal %d",
                        g_subprocess_get_term_sig (process));
  status = g_subprocess_get_exit_status (process);
  return g_error_new (SP_PROBLEM, sp_problem_from_exit (status),
                      PROGRAM " ended with status %d; it has told why on stderr", status);
}

static void
on_ended (GObject *process, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) cancelled = NULL;
  g_autoptr (GError) error = NULL;
  SpDaemon *daemon = data;

  if (!g_subprocess_wait_finish (G_SUBPROCESS (process), result, &cancelled))
    return;
  error = error_of_end (G_SUBPROCESS (process));
  daemon->events.ended (error, daemon->data);
}

static gboolean
on_kill_timer (gpointer data)
{
  SpDaemon *daemon = data;

  g_subprocess_force_exit (daemon->process);
  g_clear_pointer (&daemon->kill_timer, g_source_unref);
  return G_SOURCE_REMOVE;
}

void
sp_daemon_stop (SpDaemon *daemon)
{
  g_subprocess_send_signal (daemon->process, SIGTERM);
  if (daemon->kill_timer != NULL)
    return;
  daemon->kill_timer = g_timeout_source_new (STOP_MS);
  g_source_set_callback (daemon->kill_timer, on_kill_timer, daemon, NULL);
  g_source_attach (daemon->kill_timer, g_main_context_get_thread_default ());
}

SpDaemon *
sp_daemon_start (const SpDaemonSetup *setup, const SpDaemonEvents *events, gpointer data,
                 GError **error)
{
  g_autoptr (SpDaemon) daemon = g_new0 (SpDaemon, 1);
  int pair[2];

  daemon->events = *events;
  daemon->data = data;
  daemon->cancellable = g_cancellable_new ();
  daemon->admin_fd = -1;
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make a socket pair: %s",
                 g_strerror (errno));
    return NULL;
  }
  daemon->admin_fd = pair[0];
  daemon->process = spawn (setup, pair[1], error);
  if (daemon->process == NULL) {
    g_prefix_error (error, "cannot start " PROGRAM ": ");
    return NULL;
  }
  read_more (daemon, g_subprocess_get_stdout_pipe (daemon->process));
  g_subprocess_wait_async (daemon->process, daemon->cancellable, on_ended, daemon);
  return g_steal_pointer (&daemon);
}

void
sp_daemon_free (SpDaemon *daemon)
{
  if (daemon == NULL)
    return;
  g_cancellable_cancel (daemon->cancellable);
  g_object_unref (daemon->cancellable);
  if (daemon->process != NULL)
    g_subprocess_force_exit (daemon->process);
  g_clear_object (&daemon->process);
  if (daemon->kill_timer != NULL)
    g_source_destroy (daemon->kill_timer);
  g_clear_pointer (&daemon->kill_timer, g_source_unref);
  if (daemon->admin_fd >= 0)
    (void) close (daemon->admin_fd);
  g_free (daemon);
}
