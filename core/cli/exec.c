/* exec.c - `secret-proxy exec`: run a command with secrets in its environment
 *
 * What must stay true: values are in the environment of the command only, never in this process's own
 * nor in an argument; what this process held is wiped before it waits.
 */
#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cli.h"

#define NOT_EXECUTABLE 126
#define NOT_FOUND 127

typedef struct {
  char *variable;
  char *secret;
  SpAsk *ask;
  SpSecret *assignment; /* "VAR=value" with its terminating zero */
} Wanted;

static void
wanted_free (gpointer data)
{
  Wanted *wanted = data;

  g_free (wanted->variable);
  g_free (wanted->secret);
  sp_ask_free (wanted->ask);
  sp_secret_unref (wanted->assignment);
  g_free (wanted);
}

/* ---- what is wanted -------------------------------------------------------------------------------------- */

static gboolean
is_variable (const char *name)
{
  if (!g_ascii_isalpha (*name) && *name != '_')
    return FALSE;
  for (; *name != 0; name++)
    if (!g_ascii_isalnum (*name) && *name != '_')
      return FALSE;
  return TRUE;
}

static Wanted *
wanted_new (const char *text, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, "=", 2);
  Wanted *wanted;

  if (parts[0] == NULL || parts[1] == NULL || *parts[1] == 0 || !is_variable (parts[0])) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                 "--secret %s: VAR=NAME is expected, where VAR is the name of a variable", text);
    return NULL;
  }
  wanted = g_new0 (Wanted, 1);
  wanted->variable = g_strdup (parts[0]);
  wanted->secret = g_strdup (parts[1]);
  return wanted;
}

static GPtrArray *
wanted_from_cli (const SpCli *cli, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (wanted_free);
  GPtrArray *texts = sp_cli_all (cli, "secret");

  if (texts == NULL || !sp_cli_has (cli, "reason")) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE, "%s is missing",
                 texts == NULL ? "--secret VAR=NAME" : "--reason");
    return NULL;
  }
  for (guint i = 0; i < texts->len; i++) {
    Wanted *wanted = wanted_new (g_ptr_array_index (texts, i), error);

    if (wanted == NULL)
      return NULL;
    g_ptr_array_add (all, wanted);
  }
  return g_steal_pointer (&all);
}

/* ---- getting it --------------------------------------------------------------------------------------------- */

static gboolean
keep_assignment (Wanted *wanted, const SpAnswerValue *answer, GError **error)
{
  gsize length = sp_secret_length (answer->value), head = strlen (wanted->variable) + 1;
  guint8 *to;

  if (memchr (sp_secret_data (answer->value), 0, length) != NULL) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INVALID,
                 "the value of %s has a zero byte, which a variable can't hold: use 'secret-proxy "
                 "get'",
                 wanted->secret);
    return FALSE;
  }
  wanted->assignment = sp_secret_new (head + length + 1);
  to = sp_secret_data (wanted->assignment);
  memcpy (to, wanted->variable, head - 1);
  to[head - 1] = '=';
  memcpy (to + head, sp_secret_data (answer->value), length);
  return TRUE;
}

/* All are asked for at first, so that a person sees them together; none is redeemed before all are
 * approved, so that no approval is used up in vain. */
static gboolean
obtain_all (SpAgentClient *client, GPtrArray *all, const SpAskWhat *like, GCancellable *cancellable,
            GError **error)
{
  for (guint i = 0; i < all->len; i++) {
    Wanted *wanted = g_ptr_array_index (all, i);
    const SpAskWhat what = { wanted->secret, like->reason, like->ttl, FALSE };

    wanted->ask = sp_ask_start (client, &what, cancellable, error);
    if (wanted->ask == NULL)
      return FALSE;
  }
  for (guint i = 0; i < all->len; i++) {
    Wanted *wanted = g_ptr_array_index (all, i);

    if (!sp_ask_wait (client, wanted->ask, cancellable, error))
      return FALSE;
  }
  for (guint i = 0; i < all->len; i++) {
    Wanted *wanted = g_ptr_array_index (all, i);
    g_autoptr (SpAnswerValue) answer = sp_ask_redeem (client, wanted->ask, cancellable, error);

    if (answer == NULL || !keep_assignment (wanted, answer, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
ask_for_all (const SpCli *cli, GPtrArray *all, GError **error)
{
  SpAskWhat like = { NULL, sp_cli_get (cli, "reason"), -1, FALSE };
  g_autoptr (SpAgentFile) file = NULL;
  g_autoptr (SpAgentClient) client = NULL;
  g_autoptr (SpInterrupt) interrupt = NULL;
  gboolean done;

  if (!sp_cli_get_int (cli, "ttl", 1, 1000000, &like.ttl, error))
    return FALSE;
  file = sp_agent_file_read (NULL, error);
  if (file == NULL)
    return FALSE;
  client = sp_agent_client_new (file);
  interrupt = sp_interrupt_new ();
  done = obtain_all (client, all, &like, sp_interrupt_cancellable (interrupt), error);
  for (guint i = 0; !done && i < all->len; i++) {
    Wanted *wanted = g_ptr_array_index (all, i);

    if (wanted->ask != NULL)
      sp_ask_cancel (client, wanted->ask);
  }
  return done;
}

/* ---- running ------------------------------------------------------------------------------------------------- */

static gboolean
is_wanted (GPtrArray *all, const char *assignment)
{
  for (guint i = 0; i < all->len; i++) {
    const Wanted *wanted = g_ptr_array_index (all, i);
    gsize length = strlen (wanted->variable);

    if (strncmp (assignment, wanted->variable, length) == 0 && assignment[length] == '=')
      return TRUE;
  }
  return FALSE;
}

/* The strings are those of @environ and of @all. */
static GPtrArray *
environment_with (GPtrArray *all)
{
  GPtrArray *result = g_ptr_array_new ();

  for (char **entry = environ; *entry != NULL; entry++)
    if (!is_wanted (all, *entry))
      g_ptr_array_add (result, *entry);
  for (guint i = 0; i < all->len; i++)
    g_ptr_array_add (result, sp_secret_data (((Wanted *) g_ptr_array_index (all, i))->assignment));
  g_ptr_array_add (result, NULL);
  return result;
}

static int
spawn (char **command, char **environment, pid_t *ret_pid)
{
  posix_spawnattr_t attributes;
  sigset_t defaults;
  int status;

  (void) sigemptyset (&defaults);
  (void) sigaddset (&defaults, SIGPIPE);
  (void) sigaddset (&defaults, SIGINT);
  (void) sigaddset (&defaults, SIGQUIT);
  (void) sigaddset (&defaults, SIGTERM);
  (void) sigaddset (&defaults, SIGHUP);
  (void) posix_spawnattr_init (&attributes);
  (void) posix_spawnattr_setsigdefault (&attributes, &defaults);
  (void) posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETSIGDEF);
  status = posix_spawnp (ret_pid, command[0], NULL, &attributes, command, environment);
  (void) posix_spawnattr_destroy (&attributes);
  return status;
}

typedef struct {
  GMainLoop *loop;
  pid_t pid;
  int status;
} Running;

static void
on_exit_of_command (GPid pid, gint status, gpointer data)
{
  Running *running = data;

  running->status = WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
  g_main_loop_quit (running->loop);
}

static gboolean
pass_term (gpointer data)
{
  (void) kill (((Running *) data)->pid, SIGTERM);
  return G_SOURCE_CONTINUE;
}

static gboolean
pass_hangup (gpointer data)
{
  (void) kill (((Running *) data)->pid, SIGHUP);
  return G_SOURCE_CONTINUE;
}

/* From a terminal the command gets SIGINT and SIGQUIT itself: they are its own to obey. */
static gboolean
leave_it (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static int
wait_for (pid_t pid)
{
  static const struct {
    int number;
    GSourceFunc func;
  } signals[] = { { SIGTERM, pass_term }, { SIGHUP, pass_hangup }, { SIGINT, leave_it } };
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Running running = { loop, pid, 0 };

  (void) signal (SIGQUIT, SIG_IGN);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    (void) g_unix_signal_add (signals[i].number, signals[i].func, &running);
  (void) g_child_watch_add (pid, on_exit_of_command, &running);
  g_main_loop_run (loop);
  return running.status;
}

/* Nobody should be asked for the sake of a command that can't run. */
static int
check_command (const char *command)
{
  g_autofree char *path = g_find_program_in_path (command);

  if (path != NULL)
    return 0;
  /* Not found may also mean not executable; with a slash in it that can be told. */
  return strchr (command, '/') != NULL && access (command, F_OK) == 0 ? EACCES : ENOENT;
}

static int
fail_command (const char *command, int status)
{
  g_printerr ("secret-proxy: cannot run %s: %s\n", command, g_strerror (status));
  return status == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
}

static int
run_command (char **command, GPtrArray *all)
{
  g_autoptr (GPtrArray) environment = environment_with (all);
  pid_t pid;
  int status = spawn (command, (char **) environment->pdata, &pid);

  g_ptr_array_set_size (all, 0);
  return status == 0 ? wait_for (pid) : fail_command (command[0], status);
}

int
sp_cli_exec (SpCli *cli, GError **error)
{
  g_autoptr (GPtrArray) all = wanted_from_cli (cli, error);
  int status;

  if (all == NULL)
    return cli->verb->failed;
  status = check_command (cli->args[0]);
  if (status != 0)
    return fail_command (cli->args[0], status);
  if (!ask_for_all (cli, all, error))
    return cli->verb->failed;
  return run_command (cli->args, all);
}
