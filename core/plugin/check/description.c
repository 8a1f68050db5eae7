/* description.c - the points about what sp_plugin() returns, and its table of options */
#include "plugin/check/case.h"

#include <string.h>

#include "base/option.h"

/* What loading stumbled over belongs to just one point. */
static void
check_stage (SpCheck *check, SpLoadStage stage)
{
  g_autoptr (GError) error = NULL;
  SpLoadStage reached = SP_LOAD_FILE;

  (void) sp_check_try_load (check, &reached, &error);
  if (reached == stage)
    sp_check_fail (check, "%s", error->message);
}

static void
check_abi (SpCheck *check)
{
  check_stage (check, SP_LOAD_ABI);
}

static void
check_words (SpCheck *check)
{
  check_stage (check, SP_LOAD_WORDS);
}

static void
check_calls (SpCheck *check)
{
  check_stage (check, SP_LOAD_CALLS);
}

static void
check_table (SpCheck *check)
{
  check_stage (check, SP_LOAD_OPTIONS);
}

/* Whether the memory at @address can be written to; TRUE where that can't be told. */
static gboolean
is_writable (gconstpointer address)
{
  g_autofree char *maps = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL))
    return TRUE;
  lines = g_strsplit (maps, "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    char *end = NULL;
    guint64 from = g_ascii_strtoull (*line, &end, 16);
    guint64 to = *end == '-' ? g_ascii_strtoull (end + 1, &end, 16) : 0;

    if ((guint64) (gsize) address >= from && (guint64) (gsize) address < to)
      return strlen (end) < 3 || end[2] == 'w';
  }
  return TRUE;
}

static void
check_constant (SpCheck *check)
{
  const SpPluginModule *module = sp_check_load (check);
  const SpPlugin *first, *second;

  if (module == NULL)
    return;
  sp_check_enter_uncancellable (check, SP_PLUGIN_SYMBOL "()", 1000);
  first = module->entry ();
  second = module->entry ();
  sp_check_leave_plain (check);
  if (first != second)
    sp_check_fail (check, SP_PLUGIN_SYMBOL "() returns another pointer each time");
  else if (is_writable (first))
    sp_check_fail (check, "the description lies in memory that can be written to");
  else if (is_writable (first->ops))
    sp_check_fail (check, "the table of its calls lies in memory that can be written to");
  else if (first->n_options > 0 && is_writable (first->options))
    sp_check_fail (check, "the table of its options lies in memory that can be written to");
}

static const SpCheckCase cases[] = {
  { .name = "description/abi",
    .what = "its numbers and sizes are those of a core like this one",
    .mend = "build it anew against the headers of this release; use SP_NOTIFIER_PLUGIN(), "
            "SP_STORE_PLUGIN() or SP_VM_PLUGIN()",
    .run = check_abi,
    .flags = SP_CASE_GATE },
  { .name = "description/words",
    .what = "name, version and summary are in order, and the file has the plugin's name",
    .mend = "set .name to what stands between KIND- and .so, and .version and .summary to one line "
            "each",
    .run = check_words,
    .flags = SP_CASE_GATE },
  { .name = "description/calls",
    .what = "it has all calls that its kind needs",
    .mend = "add the call, or a function that says SP_ERROR_UNSUPPORTED",
    .run = check_calls,
    .flags = SP_CASE_GATE },
  { .name = "options/table",
    .what = "its table of options is sound",
    .mend = "the comment of SpOption in secret-proxy/plugin.h says what belongs there",
    .run = check_table,
    .flags = SP_CASE_GATE },
  { .name = "description/constant",
    .what = "the description is constant",
    .mend = "make the tables static const, and do not link with -z norelro",
    .run = check_constant },
};

const SpCheckGroup sp_check_description_group = { 0, cases, G_N_ELEMENTS (cases) };
