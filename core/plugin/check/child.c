/* child.c - the process that judges one point: its order, its report, its thread
 *
 * The main thread is the clock, and has GLib's default context as in a plugin host; the point runs on a
 * thread of its own, and with it all code of the plugin that it calls.
 *
 * What must stay true: every line of the report is one write, so that it is whole whatever happens next;
 * the process ends by _exit(), so that nothing of the plugin runs after the verdict.
 */
#include "plugin/check/child-private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/harden.h"
#include "base/text.h"
#include "plugin/check/report.h"

#define MAX_TEXT 600
#define MAX_ORDER (16 * 1024 * 1024)
#define LOAD_MS 5000
#define LINGER_MS 2000

/* ---- the report --------------------------------------------------------------------------------------- */

void
sp_check_report (char letter, const char *text)
{
  g_autofree char *clean = sp_text_clean (text, MAX_TEXT);
  g_autofree char *line = g_strdup_printf ("%c%s\n", letter, clean);
  gssize n = write (SP_CHECK_REPORT_FD, line, strlen (line));

  /* Nobody listens any more. */
  if (n < 0)
    _exit (1);
}

static void
judge (SpCheck *check, char letter, const char *text)
{
  if (check->judged)
    return;
  check->judged = TRUE;
  /* What broke a rule is reported there. */
  if (check->spoiled && letter == SP_CHECK_FAILS)
    letter = SP_CHECK_SKIPS;
  sp_check_report (letter, text);
}

void
sp_check_fail (SpCheck *check, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  judge (check, SP_CHECK_FAILS, text);
}

void
sp_check_skip (SpCheck *check, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  judge (check, SP_CHECK_SKIPS, text);
}

void
sp_check_blame (SpCheck *check, SpCheckRule rule, const char *format, ...)
{
  g_autofree char *text = NULL;
  g_autofree char *line = NULL;
  va_list args;

  check->spoiled |= sp_check_rules[rule].spoiling;
  if ((check->blamed & (1u << rule)) != 0)
    return;
  check->blamed |= 1u << rule;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  line = g_strdup_printf ("%d %s", (int) rule, text);
  sp_check_report (SP_CHECK_BLAMES, line);
}

gboolean
sp_check_has_verdict (SpCheck *check)
{
  return check->judged;
}

/* ---- what a point may ask ------------------------------------------------------------------------------ */

const char *
sp_check_path (SpCheck *check)
{
  return check->path;
}

const char *
sp_check_folder (SpCheck *check)
{
  return check->folder;
}

gboolean
sp_check_lingers (SpCheck *check)
{
  return check->lingers;
}

gboolean
sp_check_is_live (SpCheck *check)
{
  return check->live;
}

gboolean
sp_check_is_made_up (SpCheck *check)
{
  return !check->given;
}

guint
sp_check_shape (SpCheck *check)
{
  return check->shape;
}

void
sp_check_found_shape (SpCheck *check, guint shape)
{
  g_autofree char *text = g_strdup_printf ("%u", shape);

  check->shape = shape;
  sp_check_report (SP_CHECK_SHAPE, text);
}

SpCheckWorld *
sp_check_world (SpCheck *check)
{
  return check->world;
}

GVariant *
sp_check_given_options (SpCheck *check)
{
  return g_variant_get_child_value (check->order, SP_CHECK_ORDER_OPTIONS);
}

GVariant *
sp_check_given_secrets (SpCheck *check)
{
  return g_variant_get_child_value (check->order, SP_CHECK_ORDER_SECRETS);
}

char **
sp_check_people (SpCheck *check)
{
  g_autoptr (GVariant) people = g_variant_get_child_value (check->order, SP_CHECK_ORDER_PEOPLE);

  return g_variant_dup_strv (people, NULL);
}

const SpPluginModule *
sp_check_try_load (SpCheck *check, SpLoadStage *ret_stage, GError **error)
{
  SpPluginModule *module;

  sp_check_enter_uncancellable (check, "loading it", LOAD_MS);
  module = sp_plugin_load_in_stages (check->path, ret_stage, error);
  sp_check_leave_plain (check);
  check->module = module;
  return module;
}

const SpPluginModule *
sp_check_load (SpCheck *check)
{
  g_autoptr (GError) error = NULL;
  SpLoadStage stage;

  if (check->module == NULL && sp_check_try_load (check, &stage, &error) == NULL)
    sp_check_fail (check, "%s", error->message);
  return check->module;
}

/* ---- other processes --------------------------------------------------------------------------------------- */

static gboolean
on_kill (gpointer data)
{
  (void) raise (SIGKILL);
  return G_SOURCE_REMOVE;
}

void
sp_check_kill_soon (SpCheck *check, guint ms)
{
  (void) g_timeout_add (ms, on_kill, NULL);
}

gboolean
sp_check_run_beside (SpCheck *check, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) options = sp_check_given_options (check);
  g_autoptr (GVariant) secrets = sp_check_given_secrets (check);
  g_autoptr (GVariant) people = g_variant_get_child_value (check->order, SP_CHECK_ORDER_PEOPLE);
  g_autoptr (GVariant) order = g_variant_ref_sink (g_variant_new (
      "(sssbubbb@a{ss}@a{say}@as)", check->path, name, check->folder, FALSE, check->shape,
      check->live, check->given, check->lingers, options, secrets, people));
  pid_t pid;
  int status;

  pid = sp_check_spawn (order, SP_CHECK_REPORT_FD, STDOUT_FILENO, &error);
  if (pid < 0) {
    sp_check_skip (check, "cannot start a second process: %s", error->message);
    return FALSE;
  }
  while (waitpid (pid, &status, 0) < 0 && errno == EINTR)
    ;
  return !check->judged;
}

/* ---- the point ------------------------------------------------------------------------------------------ */

static const SpCheckCase *
find_case (const char *name)
{
  const SpCheckGroup *group;

  for (gsize i = 0; (group = sp_check_group (i)) != NULL; i++)
    for (gsize k = 0; k < group->n_cases; k++)
      if (strcmp (group->cases[k].name, name) == 0)
        return &group->cases[k];
  return NULL;
}

/* Threads end a moment after stop() has returned, if they end. */
static void
check_what_is_left (SpCheck *check, guint threads_before)
{
  gint64 end = g_get_monotonic_time () + LINGER_MS * 1000;
  g_autofree char *names = NULL;
  int children;

  /* It has been blamed for that, and waiting each time would take long. */
  if (check->lingers)
    return;
  while ((sp_check_threads (NULL) > threads_before || sp_check_children () > 0) &&
         g_get_monotonic_time () < end)
    g_usleep (5000);
  if (sp_check_threads (&names) > threads_before)
    sp_check_blame (check, SP_RULE_THREADS, "%u of its threads went on after close(): %s",
                    sp_check_threads (NULL) - threads_before, names);
  children = sp_check_children ();
  if (children > 0)
    sp_check_blame (check, SP_RULE_CHILDREN,
                    "%d processes that it had started went on after close()", children);
}

static gpointer
run_point (gpointer data)
{
  SpCheck *check = data;
  guint threads = sp_check_threads (NULL);

  g_main_context_push_thread_default (check->context);
  check->world = sp_check_world_new ();
  (check->second ? check->run->then : check->run->run) (check);
  check_what_is_left (check, threads);
  (void) fflush (stdout);
  if ((check->run->flags & SP_CASE_BESIDE) == 0)
    sp_check_report (SP_CHECK_DONE, "");
  _exit (0);
  return NULL;
}

/* ---- life ----------------------------------------------------------------------------------------------- */

static GVariant *
read_order (void)
{
  g_autoptr (GVariant) order = NULL;
  g_autoptr (GBytes) bytes = NULL;
  struct stat st;
  gchar *text;
  gsize length;

  if (fstat (SP_CHECK_ORDER_FD, &st) != 0 || st.st_size <= 0 || st.st_size > MAX_ORDER)
    return NULL;
  length = (gsize) st.st_size;
  text = g_malloc (length);
  bytes = g_bytes_new_take (text, length);
  if (pread (SP_CHECK_ORDER_FD, text, length, 0) != (gssize) length)
    return NULL;
  (void) close (SP_CHECK_ORDER_FD);
  order = g_variant_ref_sink (
      g_variant_new_from_bytes (G_VARIANT_TYPE (SP_CHECK_ORDER_TYPE), bytes, FALSE));
  return g_variant_is_normal_form (order) ? g_steal_pointer (&order) : NULL;
}

/* A process group of its own, so that whatever it starts ends with it; and what it starts and abandons
 * comes back to it, to be counted. */
static void
stand_apart (const SpCheck *check)
{
  (void) setpgid (0, 0);
  (void) prctl (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  /* GIO does so itself with its first socket; a plugin is not to blame for that. */
  g_type_class_unref (g_type_class_ref (G_TYPE_SOCKET));
  if (chdir (check->folder) != 0)
    _exit (1);
}

int
sp_plugin_check_child_main (void)
{
  SpCheck check = { .order = read_order () };

  if (check.order == NULL)
    return 1;
  g_variant_get (check.order, "(&s&s&sbubbba{ss}a{say}as)", &check.path, &check.point,
                 &check.folder, &check.second, &check.shape, &check.live, &check.given,
                 &check.lingers, NULL, NULL, NULL);
  check.run = find_case (check.point);
  if (check.run == NULL)
    return 1;
  sp_harden ("sp-check");
  stand_apart (&check);
  sp_check_report (SP_CHECK_BEGINS, "");
  g_mutex_init (&check.lock);
  check.context = g_main_context_new ();
  check.loop = g_main_loop_new (NULL, FALSE);
  g_thread_unref (g_thread_new ("plugin", run_point, &check));
  g_main_loop_run (check.loop);
  return 1;
}
