/* world.c - the things of its process that a plugin leaves alone: a picture, and what has changed since
 *
 * SIGCHLD gets a handler of GLib's as soon as anybody waits for a child; only to ignore it is a change.
 */
#include "plugin/check/case.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_SIGNALS 65

struct _SpCheckWorld {
  char *umask, *folder, *environment, *locale;
  locale_t of_thread;
  struct sigaction signals[N_SIGNALS];
  sigset_t blocked;
  struct stat standard[2];
};

/* ---- pictures ------------------------------------------------------------------------------------------ */

/* Looked up, not by umask(): that would change it for a moment under the plugin's threads. */
static char *
picture_of_umask (void)
{
  g_autofree char *status = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/status", &status, NULL, NULL) ||
      (line = strstr (status, "\nUmask:")) == NULL)
    return g_strdup ("");
  line += strlen ("\nUmask:");
  line += strspn (line, " \t");
  return g_strndup (line, strcspn (line, "\n"));
}

static char *
picture_of_environment (void)
{
  g_auto (GStrv) environment = g_get_environ ();

  return g_strjoinv ("\n", environment);
}

static void
take_signals (SpCheckWorld *world)
{
  memset (world->signals, 0, sizeof world->signals);
  for (int i = 1; i < N_SIGNALS; i++)
    (void) sigaction (i, NULL, &world->signals[i]);
  (void) pthread_sigmask (SIG_SETMASK, NULL, &world->blocked);
}

static void
take_standard (SpCheckWorld *world)
{
  memset (world->standard, 0, sizeof world->standard);
  (void) fstat (STDIN_FILENO, &world->standard[0]);
  (void) fstat (STDOUT_FILENO, &world->standard[1]);
}

SpCheckWorld *
sp_check_world_new (void)
{
  SpCheckWorld *world = g_new0 (SpCheckWorld, 1);

  world->umask = picture_of_umask ();
  world->folder = g_get_current_dir ();
  world->environment = picture_of_environment ();
  world->locale = g_strdup (setlocale (LC_ALL, NULL));
  world->of_thread = uselocale ((locale_t) 0);
  take_signals (world);
  take_standard (world);
  return world;
}

void
sp_check_world_free (SpCheckWorld *world)
{
  if (world == NULL)
    return;
  g_free (world->umask);
  g_free (world->folder);
  g_free (world->environment);
  g_free (world->locale);
  g_free (world);
}

/* ---- differences --------------------------------------------------------------------------------------- */

/* The names only: a value may be a secret. */
static char *
changed_variable (const char *before, const char *after)
{
  g_auto (GStrv) old = g_strsplit (before, "\n", -1);
  g_auto (GStrv) new = g_strsplit (after, "\n", -1);

  for (char **it = new; *it != NULL; it++)
    if (!g_strv_contains ((const char *const *) old, *it))
      return g_strndup (*it, strcspn (*it, "="));
  for (char **it = old; *it != NULL; it++)
    if (!g_strv_contains ((const char *const *) new, *it))
      return g_strndup (*it, strcspn (*it, "="));
  return g_strdup ("a variable");
}

static gboolean
is_same_action (int number, const struct sigaction *before, const struct sigaction *after)
{
  return before->sa_handler == after->sa_handler ||
         (number == SIGCHLD && after->sa_handler != SIG_IGN);
}

static int
changed_signal (const SpCheckWorld *before, const SpCheckWorld *after)
{
  for (int i = 1; i < N_SIGNALS; i++)
    if (!is_same_action (i, &before->signals[i], &after->signals[i]))
      return i;
  for (int i = 1; i < N_SIGNALS; i++)
    if (sigismember (&before->blocked, i) != sigismember (&after->blocked, i))
      return i;
  return 0;
}

static gboolean
is_same_file (const struct stat *a, const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static void
compare (const SpCheckWorld *before, const SpCheckWorld *after, SpCheck *check, const char *call)
{
  int signal_number = changed_signal (before, after);

  if (strcmp (before->umask, after->umask) != 0)
    sp_check_blame (check, SP_RULE_UMASK, "%s changed the umask from %s to %s", call, before->umask,
                    after->umask);
  if (strcmp (before->folder, after->folder) != 0)
    sp_check_blame (check, SP_RULE_FOLDER, "%s changed the working directory to %s", call,
                    after->folder);
  if (strcmp (before->environment, after->environment) != 0) {
    g_autofree char *name = changed_variable (before->environment, after->environment);

    sp_check_blame (check, SP_RULE_ENVIRONMENT, "%s changed %s in the environment", call, name);
  }
  if (g_strcmp0 (before->locale, after->locale) != 0)
    sp_check_blame (check, SP_RULE_LOCALE, "%s changed the locale to %s", call, after->locale);
  if (before->of_thread != after->of_thread)
    sp_check_blame (check, SP_RULE_LOCALE, "%s left another locale to its thread", call);
  if (signal_number != 0)
    sp_check_blame (check, SP_RULE_SIGNALS, "%s changed what signal %d (%s) does", call,
                    signal_number, g_strsignal (signal_number));
  for (gsize i = 0; i < G_N_ELEMENTS (before->standard); i++)
    if (!is_same_file (&before->standard[i], &after->standard[i]))
      sp_check_blame (check, SP_RULE_STDOUT, "%s closed or replaced descriptor %" G_GSIZE_FORMAT,
                      call, i);
}

static void
swap (SpCheckWorld *a, SpCheckWorld *b)
{
  SpCheckWorld c = *a;

  *a = *b;
  *b = c;
}

void
sp_check_world_compare (SpCheckWorld *world, SpCheck *check, const char *call)
{
  g_autoptr (SpCheckWorld) now = sp_check_world_new ();

  compare (world, now, check, call);
  swap (world, now);
}

/* ---- counting ------------------------------------------------------------------------------------------ */

/* Workers that GLib starts once and keeps. */
static gboolean
is_kept_by_glib (const char *name)
{
  static const char *const kept[] = { "gmain", "gdbus", "dconf worker", NULL };

  return g_strv_contains (kept, name) || g_str_has_prefix (name, "pool-");
}

guint
sp_check_threads (char **ret_names)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  GString *names = g_string_new (NULL);
  const char *entry;
  guint n = 0;

  while (dir != NULL && (entry = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_strdup_printf ("/proc/self/task/%s/comm", entry);
    g_autofree char *name = NULL;
    pid_t id = (pid_t) g_ascii_strtoll (entry, NULL, 10);

    /* The two of the suite: the clock, and the one that asks. */
    if (id == getpid () || id == gettid () || !g_file_get_contents (path, &name, NULL, NULL) ||
        is_kept_by_glib (g_strchomp (name)))
      continue;
    n++;
    g_string_append_printf (names, "%s%s", names->len > 0 ? ", " : "", name);
  }
  if (ret_names != NULL)
    *ret_names = g_string_free (names, FALSE);
  else
    g_string_free (names, TRUE);
  return n;
}

guint
sp_check_descriptors (void)
{
  DIR *dir = opendir ("/proc/self/fd");
  guint n = 0;

  while (dir != NULL && readdir (dir) != NULL)
    n++;
  if (dir != NULL)
    (void) closedir (dir);
  return n;
}

/* One that has ended and was left to init, which this process stands for. */
static gboolean
is_zombie (const char *pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%s/stat", pid);
  g_autofree char *text = NULL;
  const char *state;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return TRUE;
  state = strrchr (text, ')');
  return state != NULL && g_str_has_prefix (state, ") Z");
}

static void
take_children (const char *task, GPtrArray *pids)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%s/children", task);
  g_autofree char *text = NULL;
  g_auto (GStrv) words = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return;
  words = g_strsplit (g_strchomp (text), " ", -1);
  for (char **word = words; *word != NULL; word++)
    if (**word != '\0')
      g_ptr_array_add (pids, g_strdup (*word));
}

/* Also those that have ended and that nobody has waited for. */
static GPtrArray *
child_pids (void)
{
  GPtrArray *pids = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  const char *entry;

  while (dir != NULL && (entry = g_dir_read_name (dir)) != NULL)
    take_children (entry, pids);
  return pids;
}

int
sp_check_children (void)
{
  g_autoptr (GPtrArray) pids = child_pids ();
  int n = 0;

  for (guint i = 0; i < pids->len; i++)
    n += !is_zombie (g_ptr_array_index (pids, i)) ? 1 : 0;
  return n;
}

static void
end_child (const char *text)
{
  pid_t pid = (pid_t) g_ascii_strtoll (text, NULL, 10);

  (void) kill (pid, SIGKILL);
  while (waitpid (pid, NULL, 0) < 0 && errno == EINTR)
    ;
}

void
sp_check_end_children (void)
{
  guint n;

  do {
    g_autoptr (GPtrArray) pids = child_pids ();

    n = pids->len;
    for (guint i = 0; i < n; i++)
      end_child (g_ptr_array_index (pids, i));
  } while (n > 0);
}
