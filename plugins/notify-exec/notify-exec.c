/* notify-exec - a notifier in any language: the notice goes to a program, the answer comes from it
 *
 * This file is the plugin's face: options, life cycle, and the calls of a notifier, handed on to the part
 * that does the work.
 *
 *      message        what the program is told, and what it says
 *      program        one run of it
 *      notices        which notices are open, and what becomes of their programs
 *      answer-socket  answers that come later
 *
 * Everything runs in the plugin's one thread.  What must stay true: nothing of a notice is in an argument
 * or in the environment; stop() leaves no program of its own running.
 */
#define G_LOG_DOMAIN "notify-exec"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "answer-socket.h"
#include "notices.h"

#define SOCKET "answer.sock"

typedef struct {
  NxState state;
  NxSocket *socket;
} Exec;

static const SpOption options[] = {
  { .key = "command",
    .type = SP_OPTION_STRING,
    .flags = SP_OPTION_REQUIRED | SP_OPTION_LIST,
    .help = "the program, by its absolute path, and its arguments; no shell sees them" },
  { .key = "environment",
    .type = SP_OPTION_STRING,
    .flags = SP_OPTION_LIST,
    .help = "what it needs of an environment, as in DISPLAY=:0" },
  { .key = "socket",
    .type = SP_OPTION_PATH,
    .help = "where answers come in later; without it, answer.sock in the plugin's own folder" },
  { .key = "wait",
    .type = SP_OPTION_DURATION,
    .fallback = "1s",
    .min = 100,
    .max = 30000,
    .help = "how long a program may take to end by itself before it counts as one that waits for a "
            "person" },
};

/* ---- options ------------------------------------------------------------------------------------------ */

static gboolean
check_command (const char *const *argv, GError **error)
{
  if (argv[0] != NULL && g_path_is_absolute (argv[0]))
    return TRUE;
  g_set_error_literal (error, SP_ERROR, SP_ERROR_CONFIG,
                       "command must begin with the absolute path of a program");
  return FALSE;
}

static gboolean
check_environment (const char *const *pairs, GError **error)
{
  for (; *pairs != NULL; pairs++)
    if (strchr (*pairs, '=') == NULL || **pairs == '=') {
      g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "environment: '%s' is no NAME=VALUE", *pairs);
      return FALSE;
    }
  return TRUE;
}

/* ---- life cycle ----------------------------------------------------------------------------------------- */

static gpointer
exec_open (SpHost *host, GError **error)
{
  const char *const *argv = host->api->config_list (host, "command");
  const char *const *more = host->api->config_list (host, "environment");
  const char *socket = sp_config_string (host, "socket");
  Exec *self;

  if (!check_command (argv, error) || !check_environment (more, error))
    return NULL;
  self = g_new0 (Exec, 1);
  self->state.host = host;
  self->state.command.argv = argv;
  self->state.command.environment = nx_environment (more);
  self->state.wait_ms = sp_config_int (host, "wait");
  self->state.socket =
      socket ? g_strdup (socket) : g_build_filename (host->api->state_dir (host), SOCKET, NULL);
  nx_notices_init (&self->state);
  return self;
}

static gboolean
exec_start (gpointer data, GCancellable *cancellable, GError **error)
{
  Exec *self = data;
  const char *program = self->state.command.argv[0];

  if (access (program, X_OK) != 0) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "user %u cannot run %s: %s", (guint) geteuid (),
                 program, g_strerror (errno));
    return FALSE;
  }
  self->socket = nx_socket_open (self->state.host, self->state.socket, error);
  if (self->socket == NULL)
    return FALSE;
  nx_notices_resume (&self->state);
  return TRUE;
}

static void
exec_stop (gpointer data)
{
  Exec *self = data;

  nx_notices_clear (&self->state);
  g_clear_pointer (&self->socket, nx_socket_close);
}

static void
exec_close (gpointer data)
{
  Exec *self = data;

  nx_notices_free (&self->state);
  g_strfreev (self->state.command.environment);
  g_free (self->state.socket);
  g_free (self);
}

/* ---- a notifier's calls ----------------------------------------------------------------------------------- */

static gboolean
exec_post (gpointer data, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  return nx_post (&((Exec *) data)->state, notice, cancellable, error);
}

static gboolean
exec_settle (gpointer data, const SpNotice *notice, const SpOutcome *outcome,
             GCancellable *cancellable, GError **error)
{
  return nx_settle (&((Exec *) data)->state, notice, outcome, cancellable, error);
}

static char *
exec_render (const SpNotice *notice)
{
  return nx_message (NULL, NULL, notice, NULL);
}

static const SpNotifierOps ops = { .post = exec_post,
                                   .settle = exec_settle,
                                   .render = exec_render };

SP_NOTIFIER_PLUGIN (&ops, .name = "exec", .version = "0.1",
                    .summary = "hands notices to a program of your own", SP_OPTIONS (options),
                    .open = exec_open, .start = exec_start, .stop = exec_stop, .close = exec_close)
