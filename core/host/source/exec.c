/* exec.c - an agent VM behind a command: a way of source-private.h
 *
 * The command may hand its words to a shell (ssh) or not (multipass exec), so no word that is passed
 * on needs quoting: paths are of letters, digits and . _ - / only.  On the far side it takes cat, dd,
 * install, kill, mv, readlink, rm, test and true; nothing of ours but for the monitor.
 *
 * What must stay true: nothing secret is in an argument; each call has a deadline and a bound; what
 * the far side says shows in a message cleaned, and is believed for nothing.
 */
#include <string.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/source/private.h"

#define SAFE G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "/._-"
#define STATUS_LOST 255 /* ssh: the connection failed */
#define POLL_US 200000

typedef struct {
  const char *const *argv;
  gconstpointer input;
  gsize length;
  gint64 deadline;
  SpSourceTake take; /* NULL: stdout is of no interest */
  gpointer data;
  guint quiet_ms; /* how long it may say nothing before its end; 0: until the deadline */
} Call;

typedef struct {
  int status;
  char *complaint;
} Answer;

static void
answer_clear (Answer *answer)
{
  g_clear_pointer (&answer->complaint, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answer, answer_clear)

/* ---- calling -------------------------------------------------------------------------------------- */

static gboolean
take_nothing (gpointer data, const guint8 *bytes, gsize length, GError **error)
{
  return TRUE;
}

/* Of our own failures the command's is named; others, of @take, are not its fault. */
static void
blame (SpSource *source, GError *local, GError **error)
{
  gboolean late = g_error_matches (local, SP_PROBLEM, SP_PROBLEM_TIMED_OUT);

  if (late)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT,
                 "'%s' does not come to an end: see whether the agent's machine runs, and whether "
                 "the command of 'exec' in [source %s] works by hand",
                 source->prefix[0], source->name);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  g_clear_error (&local);
}

static SpSourceProcess *
start (SpSource *source, const char *const *argv, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new ();
  g_autoptr (GError) local = NULL;
  SpSourceProcess *process;

  for (char **word = source->prefix; *word != NULL; word++)
    g_ptr_array_add (all, *word);
  for (; *argv != NULL; argv++)
    g_ptr_array_add (all, (gpointer) *argv);
  g_ptr_array_add (all, NULL);
  process = sp_source_process_start ((const char *const *) all->pdata, NULL, &local);
  if (process == NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
                 "%s: install it, or correct 'exec' in [source %s]", local->message, source->name);
  return process;
}

static gboolean
fail_lost (SpSource *source, const Answer *answer, GError **error)
{
  g_autofree char *how = answer->status < 0
                             ? g_strdup ("was ended by a signal")
                             : g_strdup_printf ("failed (status %d)", answer->status);

  g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
               "'%s' %s%s; see whether the agent's machine runs, and whether the command of 'exec' "
               "in [source %s] works by hand",
               source->prefix[0], how, answer->complaint, source->name);
  return FALSE;
}

static void
take_answer (const SpSourceProcess *process, Answer *answer)
{
  answer_clear (answer);
  answer->status = sp_source_process_status (process);
  answer->complaint = sp_source_process_complaint (process);
}

/* TRUE: the program, or the command in its place, gave an exit status. */
static gboolean
call (SpSource *source, const Call *what, Answer *answer, GError **error)
{
  g_autoptr (SpSourceProcess) process = start (source, what->argv, error);
  GError *local = NULL;

  if (process == NULL)
    return FALSE;
  sp_source_process_expect_talk (process, what->quiet_ms);
  if (!sp_source_process_run (process, what->input, what->length, what->deadline,
                              what->take ? what->take : take_nothing, what->data, &local)) {
    blame (source, local, error);
    return FALSE;
  }
  take_answer (process, answer);
  if (answer->status < 0 || answer->status == STATUS_LOST)
    return fail_lost (source, answer, error);
  return TRUE;
}

/* The same with a program and one or two arguments, of which nothing but the status counts. */
static gboolean
ask (SpSource *source, Answer *answer, GError **error, const char *program, const char *first,
     const char *second)
{
  const char *const argv[] = { program, first, second, NULL };
  const Call what = { argv, NULL, 0, sp_source_deadline (source->answer_ms), NULL, NULL, 0 };

  return call (source, &what, answer, error);
}

/* A program gave another status than 0.  The command may have done so without the program, or have kept
 * words with a dash for itself (multipass exec without its --): then what holds everywhere fails, too. */
static gboolean
explain (SpSource *source, const char *program, const char *path, const Answer *answer,
         GError **error)
{
  g_auto (Answer) works = { 0 };
  g_auto (Answer) exists = { 0 };
  gboolean reachable = ask (source, &works, error, "test", "-d", "/");

  if (!reachable)
    return FALSE;
  if (works.status != 0)
    return fail_lost (source, &works, error);
  if (!ask (source, &exists, error, "test", "-e", path))
    return FALSE;
  if (exists.status == 1)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "%s is not there", path);
  else
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "'%s' failed for %s (status %d)%s",
                 program, path, answer->status, answer->complaint);
  return FALSE;
}

static gboolean
expect_success (SpSource *source, const Call *what, const char *path, GError **error)
{
  g_auto (Answer) answer = { 0 };

  if (!call (source, what, &answer, error)) {
    if (what->take != NULL)
      g_prefix_error (error, "%s: ", path);
    return FALSE;
  }
  return answer.status == 0 || explain (source, what->argv[0], path, &answer, error);
}

/* ---- opening -------------------------------------------------------------------------------------- */

static gboolean
check_paths (const SpSource *source, GError **error)
{
  for (guint i = 0; i < SP_SOURCE_N_FILES; i++)
    if (source->paths[i][0] != '/' || source->paths[i][strspn (source->paths[i], SAFE)] != 0) {
      g_autofree char *shown = g_strescape (source->paths[i], NULL);

      g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                   "[source %s] with 'exec' takes absolute paths of letters, digits and . _ - / "
                   "only, since a shell may be on the way; this is another: %s",
                   source->name, shown);
      return FALSE;
    }
  return TRUE;
}

static gboolean
exec_open (SpSource *source, GError **error)
{
  const char *const argv[] = { "test", "-d", source->base, NULL };
  const Call what = { argv, NULL, 0, sp_source_deadline (source->answer_ms), NULL, NULL, 0 };

  return check_paths (source, error) && expect_success (source, &what, source->base, error);
}

static void
exec_close (SpSource *source)
{
  sp_source_process_free (source->relay);
}

/* ---- files ---------------------------------------------------------------------------------------- */

static GByteArray *
exec_read (SpSource *source, SpSourceFile file, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  const char *const argv[] = { "cat", source->paths[file], NULL };
  const Call what = { argv,  NULL, 0, sp_source_deadline (source->answer_ms), sp_source_take_file,
                      bytes, 0 };

  return expect_success (source, &what, source->paths[file], error) ? g_steal_pointer (&bytes)
                                                                    : NULL;
}

static gboolean
take_disk (gpointer data, const guint8 *bytes, gsize length, GError **error)
{
  return sp_source_sink_bytes (data, bytes, length, error);
}

static gboolean
exec_copy_disk (SpSource *source, SpSourceSink *sink, GError **error)
{
  const char *path = source->paths[SP_SOURCE_DISK];
  const char *const argv[] = { "cat", path, NULL };
  const Call what = {
    argv, NULL, 0, sp_source_deadline (source->copy_ms), take_disk, sink, source->answer_ms
  };

  return expect_success (source, &what, path, error);
}

static gboolean
exec_remove (SpSource *source, SpSourceFile file, GError **error)
{
  const char *const argv[] = { "rm", "-f", source->paths[file], NULL };
  const Call what = { argv, NULL, 0, sp_source_deadline (source->answer_ms), NULL, NULL, 0 };

  return expect_success (source, &what, source->paths[file], error);
}

/* Written in a folder that nobody else can enter, so that its mode is right before it has a name there.
 * install(1) would do it in one go, and is not in every BusyBox. */
static gboolean
write_and_rename (SpSource *source, const char *folder, SpSecret *content, GError **error)
{
  g_autofree char *file = g_build_filename (folder, SP_STAGING_AGENT, NULL);
  g_autofree char *of = g_strconcat ("of=", file, NULL);
  const char *const clear[] = { "rm", "-rf", folder, NULL };
  const char *const make[] = { "mkdir", "-m", "0700", folder, NULL };
  const char *const fill[] = { "dd", of, NULL };
  const char *const close[] = { "chmod", "0600", file, NULL };
  const char *const name[] = { "mv", "-f", file, source->paths[SP_SOURCE_AGENT], NULL };
  const char *const *const calls[] = { clear, make, fill, close, name };

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++) {
    gboolean fills = calls[i] == fill;
    const Call what = { calls[i],
                        fills ? sp_secret_data (content) : NULL,
                        fills ? sp_secret_length (content) : 0,
                        sp_source_deadline (source->answer_ms),
                        NULL,
                        NULL,
                        0 };

    if (!expect_success (source, &what, source->base, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
exec_write_agent (SpSource *source, SpSecret *content, GError **error)
{
  g_autofree char *folder = g_strconcat (source->paths[SP_SOURCE_AGENT], ".new", NULL);
  g_auto (Answer) answer = { 0 };
  gboolean ok = write_and_rename (source, folder, content, error);

  (void) ask (source, &answer, NULL, "rm", "-rf", folder);
  return ok;
}

/* ---- the monitor ---------------------------------------------------------------------------------- */

/* TRUE with @ret_process NULL: there is no such program on the far side. */
static gboolean
start_relay (SpSource *source, const char *const *argv, SpSourceProcess **ret_process,
             GError **error)
{
  g_autoptr (SpSourceProcess) process = start (source, argv, error);
  g_auto (Answer) answer = { 0 };
  GError *local = NULL;
  gboolean ended;

  if (process == NULL)
    return FALSE;
  if (!sp_source_process_wait (process, sp_source_deadline (source->answer_ms), &ended, &local)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT,
                 "%s: no greeting has come through '%s': see whether the agent's VM runs",
                 source->paths[SP_SOURCE_MONITOR], source->prefix[0]);
    g_clear_error (&local);
    return FALSE;
  }
  if (!ended) {
    *ret_process = g_steal_pointer (&process);
    return TRUE;
  }
  take_answer (process, &answer);
  if (answer.status == SP_SOURCE_NO_PROGRAM)
    return TRUE;
  if (answer.status < 0 || answer.status == STATUS_LOST)
    return fail_lost (source, &answer, error);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "%s: '%s' can't connect (status %d)%s",
               source->paths[SP_SOURCE_MONITOR], argv[0], answer.status, answer.complaint);
  return FALSE;
}

static gboolean
exec_connect_monitor (SpSource *source, int *ret_in, int *ret_out, GError **error)
{
  const char *path = source->paths[SP_SOURCE_MONITOR];
  g_autofree char *address = g_strconcat ("UNIX-CONNECT:", path, NULL);
  const char *const ways[][4] = {
    { "secret-proxy", "relay", path, NULL },
    { "socat", "-", address, NULL },
  };

  g_clear_pointer (&source->relay, sp_source_process_free);
  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++) {
    if (!start_relay (source, ways[i], &source->relay, error))
      return FALSE;
    if (source->relay != NULL) {
      sp_source_process_take_pipes (source->relay, ret_in, ret_out);
      return TRUE;
    }
  }
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
               "%s: neither secret-proxy nor socat is on the agent's machine: install one of them",
               path);
  return FALSE;
}

/* ---- the machine, and anything else --------------------------------------------------------------- */

/* The program that process @pid runs; "": there is no such process, or it is a zombie or not the
 * agent's.  The agent may make it say anything: this only keeps us from ending what has got an old
 * number. */
static char *
program_of (SpSource *source, const char *pid, GError **error)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autofree char *path = g_strdup_printf ("/proc/%s/exe", pid);
  const char *const argv[] = { "readlink", path, NULL };
  const Call what = { argv, NULL, 0, sp_source_deadline (source->answer_ms), sp_source_take_file,
                      out,  0 };
  g_auto (Answer) answer = { 0 };

  if (!call (source, &what, &answer, error))
    return NULL;
  if (answer.status > 1) {
    (void) fail_lost (source, &answer, error);
    return NULL;
  }
  return answer.status == 0 ? sp_source_text (out) : g_strdup ("");
}

/* Whether process @pid is a QEMU that runs; FALSE also where another program does: @ret_other. */
static gboolean
look_at (SpSource *source, const char *pid, gboolean *ret_runs, gboolean *ret_other, GError **error)
{
  g_autofree char *program = program_of (source, pid, error);

  if (program == NULL)
    return FALSE;
  *ret_runs = strstr (program, "/" SP_SOURCE_MACHINE) != NULL;
  *ret_other = !*ret_runs && *program != 0;
  return TRUE;
}

/* Signal it, and see until the time is over whether it still runs. */
static gboolean
signal_and_wait (SpSource *source, const char *what, const char *pid, gboolean *ret_runs,
                 GError **error)
{
  gint64 until = sp_source_deadline (source->end_ms);
  g_auto (Answer) answer = { 0 };
  gboolean other;

  if (!ask (source, &answer, error, "kill", what, pid))
    return FALSE;
  for (;;) {
    if (!look_at (source, pid, ret_runs, &other, error))
      return FALSE;
    if (!*ret_runs || g_get_monotonic_time () >= until)
      return TRUE;
    g_usleep (POLL_US);
  }
}

static gboolean
exec_end_machine (SpSource *source, pid_t pid, GError **error)
{
  static const char *const signals[] = { "-TERM", "-KILL" };
  g_autofree char *number = g_strdup_printf ("%d", (int) pid);
  gboolean runs, other;

  if (!look_at (source, number, &runs, &other, error))
    return FALSE;
  if (other) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 SP_STAGING_PID " names process %s, which is no VM and was left alone: see that "
                                "the agent's VM has ended",
                 number);
    return FALSE;
  }
  for (gsize i = 0; runs && i < G_N_ELEMENTS (signals); i++)
    if (!signal_and_wait (source, signals[i], number, &runs, error))
      return FALSE;
  if (!runs)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT,
               "the agent's VM, process %s, does not end: end it by hand", number);
  return FALSE;
}

static gboolean
exec_run (SpSource *source, const char *const *argv, guint timeout_ms, GByteArray *out,
          int *ret_status, GError **error)
{
  const Call what = {
    argv, NULL, 0, sp_source_deadline (timeout_ms), sp_source_take_output, out, 0
  };
  g_auto (Answer) answer = { 0 };

  if (!call (source, &what, &answer, error))
    return FALSE;
  *ret_status = answer.status;
  return TRUE;
}

const SpSourceWay sp_source_exec = {
  .open = exec_open,
  .close = exec_close,
  .read = exec_read,
  .copy_disk = exec_copy_disk,
  .connect_monitor = exec_connect_monitor,
  .remove = exec_remove,
  .write_agent = exec_write_agent,
  .end_machine = exec_end_machine,
  .run = exec_run,
};
