/* life.c - the points about open, start, stop and close */
#include "plugin/check/case.h"

#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <unistd.h>

#include "sp-build.h"

#define WARM_UP 12
#define WINDOWS 6
#define ROUNDS 12 /* of a window */

/* ---- options -------------------------------------------------------------------------------------------- */

/* Whether it lives with paths of this @shape; @error: why not. */
static gboolean
try_shape (SpCheck *check, SpCheckFill fill, guint shape, GError **error)
{
  g_autoptr (SpCheckInstance) instance = NULL;

  instance = sp_check_instance_new (check, "first", fill, shape, error);
  if (instance == NULL || !sp_check_open (instance, error))
    return FALSE;
  return sp_check_start (instance, SP_CHECK_USUAL_MS, error);
}

/* Does a value of this @type have to be made up? */
static gboolean
has_type (const SpPluginModule *module, guint32 type, gboolean required_only)
{
  for (gsize i = 0; i < module->n_options; i++)
    if (module->options[i].type == type && module->options[i].fallback == NULL &&
        (!required_only || (module->options[i].flags & SP_OPTION_REQUIRED) != 0))
      return TRUE;
  return FALSE;
}

static gboolean
is_worth_trying (SpCheck *check, SpCheckFill fill, guint shape)
{
  const SpPluginModule *module = sp_check_load (check);

  if (shape == 0)
    return TRUE;
  if (!sp_check_is_made_up (check))
    return FALSE;
  if (shape % SP_CHECK_N_PATHS != 0 && !has_type (module, SP_OPTION_PATH, fill == SP_FILL_LEAST))
    return FALSE;
  return shape < SP_CHECK_N_PATHS ||
         (fill == SP_FILL_LEAST && has_type (module, SP_OPTION_SECRET, FALSE));
}

/* The first error counts: it is that of the most plausible values. */
static gboolean
try_shapes (SpCheck *check, SpCheckFill fill, guint *ret_shape, GError **error)
{
  g_autoptr (GError) first = NULL;

  for (guint shape = 0; shape < SP_CHECK_N_SHAPES; shape++) {
    g_autoptr (GError) why = NULL;

    if (!is_worth_trying (check, fill, shape))
      continue;
    *ret_shape = shape;
    if (try_shape (check, fill, shape, &why))
      return TRUE;
    if (first == NULL)
      first = g_steal_pointer (&why);
  }
  g_propagate_error (error, g_steal_pointer (&first));
  return FALSE;
}

static void
check_least (SpCheck *check)
{
  g_autoptr (GError) error = NULL;
  guint shape;

  if (sp_check_load (check) == NULL)
    return;
  if (try_shapes (check, SP_FILL_LEAST, &shape, &error))
    sp_check_found_shape (check, shape);
  else if (g_error_matches (error, SP_ERROR, SP_ERROR_UNAVAILABLE))
    (void) sp_check_need (check, "start()", FALSE, error);
  else
    sp_check_fail (check, "it does not open and start with %s: %s",
                   sp_check_is_made_up (check) ? "values that were made up for what it requires"
                                               : "the values of the config file",
                   error->message);
}

static void
check_every (SpCheck *check)
{
  g_autoptr (GError) error = NULL;
  guint shape;

  if (sp_check_load (check) == NULL || try_shapes (check, SP_FILL_ALL, &shape, &error))
    return;
  /* A made-up value may well be a wrong one. */
  if (g_error_matches (error, SP_ERROR, SP_ERROR_CONFIG))
    sp_check_skip (check, "it refused a value that was made up: %s", error->message);
  else
    (void) sp_check_need (check, "open() with every option", FALSE, error);
}

/* ---- order ---------------------------------------------------------------------------------------------- */

/* What the options name may be for one alone, as a socket is: refusing the second is right then. */
static SpCheckInstance *
bring_up_second (SpCheck *check)
{
  g_autoptr (SpCheckInstance) second = NULL;
  g_autoptr (GError) error = NULL;

  second = sp_check_instance_new (check, "second", SP_FILL_LEAST, sp_check_shape (check), &error);
  if (second != NULL && sp_check_open (second, &error) &&
      sp_check_start (second, SP_CHECK_USUAL_MS, &error))
    return g_steal_pointer (&second);
  if (!sp_check_is_made_up (check) && g_error_matches (error, SP_ERROR, SP_ERROR_CONFIG))
    sp_check_skip (check, "not judged: a second one can't have the same options: %s",
                   error->message);
  else
    (void) sp_check_need (check, "open() and start()", FALSE, error);
  return NULL;
}

static void
check_two (SpCheck *check)
{
  g_autoptr (SpCheckInstance) first = sp_check_up (check, "first");
  g_autoptr (SpCheckInstance) second = first != NULL ? bring_up_second (check) : NULL;

  if (second == NULL)
    return;
  if (first->self == second->self) {
    sp_check_fail (check, "open() returned the same instance twice");
    /* Closing it twice would hide this behind a crash. */
    second->self = NULL;
    second->started = FALSE;
    return;
  }
  sp_check_stop (first);
  sp_check_close (first);
  sp_check_iterate (check, 20);
}

/* start() with its time up already: whatever comes of it, close() has to take it. */
static void
check_failed_start (SpCheck *check)
{
  g_autoptr (SpCheckInstance) instance = NULL;
  g_autoptr (GError) error = NULL;

  if (sp_check_load (check) == NULL)
    return;
  instance = sp_check_instance_new (check, "first", SP_FILL_LEAST, sp_check_shape (check), &error);
  if (instance == NULL || !sp_check_open (instance, &error)) {
    (void) sp_check_need (check, "open()", FALSE, error);
    return;
  }
  (void) sp_check_start (instance, 0, &error);
}

static void
check_never_started (SpCheck *check)
{
  g_autoptr (SpCheckInstance) instance = NULL;
  g_autoptr (GError) error = NULL;

  if (sp_check_load (check) == NULL)
    return;
  instance = sp_check_instance_new (check, "first", SP_FILL_LEAST, sp_check_shape (check), &error);
  if (instance == NULL || !sp_check_open (instance, &error))
    (void) sp_check_need (check, "open()", FALSE, error);
}

static void
check_stop_twice (SpCheck *check)
{
  g_autoptr (SpCheckInstance) instance = sp_check_up (check, "first");

  if (instance == NULL)
    return;
  sp_check_stop (instance);
  instance->started = TRUE;
  sp_check_stop (instance);
}

/* ---- rounds --------------------------------------------------------------------------------------------- */

static gint64
used_memory (void)
{
  return (gint64) mallinfo2 ().uordblks;
}

static gint64
used_descriptors (void)
{
  return sp_check_descriptors ();
}

static gboolean
run_rounds (SpCheck *check, guint n)
{
  for (guint i = 0; i < n; i++) {
    g_autoptr (SpCheckInstance) instance = sp_check_up (check, "first");

    if (instance == NULL)
      return FALSE;
  }
  return TRUE;
}

/* Allocators and libraries keep something for later now and then; a leak grows in each window. */
static void
check_growth (SpCheck *check, gint64 (*used) (void), gint64 allowed, const char *what)
{
  gint64 least = G_MAXINT64;

  if (sp_check_lingers (check)) {
    sp_check_skip (check, "not judged: it goes on after stop(), see hygiene");
    return;
  }
  if (!run_rounds (check, WARM_UP))
    return;
  for (guint i = 0; i < WINDOWS; i++) {
    gint64 before = used ();

    if (!run_rounds (check, ROUNDS))
      return;
    least = MIN (least, used () - before);
  }
  if (least > allowed)
    sp_check_fail (
        check, "each %d rounds of open, start, stop and close leave %" G_GINT64_FORMAT " %s behind",
        ROUNDS, least, what);
}

static void
check_memory (SpCheck *check)
{
  /* A sanitizer has its own account, and reports leaks by itself. */
  if (SP_NOT_DUMPABLE)
    check_growth (check, used_memory, ROUNDS * 15, "bytes of memory");
  else
    sp_check_skip (check, "this build has a sanitizer in it");
}

static void
check_descriptors (SpCheck *check)
{
  check_growth (check, used_descriptors, 0, "open descriptors");
}

/* ---- descriptors ---------------------------------------------------------------------------------------- */

static void
check_close_on_exec (SpCheck *check)
{
  guint8 before[256];
  g_autoptr (SpCheckInstance) instance = NULL;

  for (int fd = 0; fd < (int) sizeof before; fd++)
    before[fd] = fcntl (fd, F_GETFD) >= 0;
  instance = sp_check_up (check, "first");
  for (int fd = 3; instance != NULL && fd < (int) sizeof before; fd++) {
    int flags = before[fd] ? -1 : fcntl (fd, F_GETFD);
    g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", fd);
    g_autofree char *target = flags >= 0 ? g_file_read_link (link, NULL) : NULL;

    if (flags >= 0 && (flags & FD_CLOEXEC) == 0)
      sp_check_blame (check, SP_RULE_DESCRIPTORS,
                      "descriptor %d (%s) stays open in programs that it starts", fd,
                      target != NULL ? target : "?");
  }
}

static const SpCheckCase cases[] = {
  { .name = "life/least-options",
    .what = "it opens, starts, stops and closes with what it requires",
    .mend = "open() takes any value that its table of options allows; where it is right to refuse "
            "this one, give real values: a section for it in the file of --config",
    .run = check_least,
    .flags = SP_CASE_GATE },
  { .name = "life/every-option",
    .what = "it lives with every option set",
    .mend = "say with SP_ERROR_CONFIG which value is wrong and why",
    .run = check_every },
  { .name = "life/never-started",
    .what = "it can be closed without having been started",
    .mend = "let close() free what is there, and take what is not",
    .run = check_never_started },
  { .name = "life/failed-start",
    .what = "it can be closed after a start that was cut short",
    .mend = "let close() undo what start() left half done",
    .run = check_failed_start },
  { .name = "life/stop-twice",
    .what = "a second stop() finds nothing to do",
    .mend = "forget in stop() what it has ended: g_clear_pointer()",
    .run = check_stop_twice },
  { .name = "life/two-instances",
    .what = "two instances share nothing",
    .mend = "keep the state of an instance in what open() returns, and none in static variables",
    .run = check_two },
  { .name = "life/memory",
    .what = "opening and closing again and again takes no memory",
    .mend = "free in close() what open() made; valgrind --leak-check=full shows what is left",
    .run = check_memory },
  { .name = "life/descriptors",
    .what = "opening and closing again and again takes no descriptors",
    .mend = "close in stop() or close() what start() or open() opened",
    .run = check_descriptors },
  { .name = "life/close-on-exec", .run = check_close_on_exec, .flags = SP_CASE_SILENT },
};

const SpCheckGroup sp_check_life_group = { 0, cases, G_N_ELEMENTS (cases) };
