/* file.c - the points about the file itself; the last of them loads it */
#include "plugin/check/case.h"

#include <string.h>
#include <unistd.h>

#include "plugin/check/elf.h"
#include "plugin/find.h"

static void
check_trusted (SpCheck *check)
{
  g_autofree char *dir = g_path_get_dirname (sp_check_path (check));
  g_autofree char *file = g_path_get_basename (sp_check_path (check));
  g_autoptr (GError) error = NULL;
  int fd = sp_plugin_open_dir (dir, &error);

  if (fd >= 0) {
    (void) sp_plugin_check_file (fd, dir, file, &error);
    (void) close (fd);
  }
  if (error != NULL)
    sp_check_fail (check, "%s", error->message);
}

static void
check_name (SpCheck *check)
{
  g_autofree char *file = g_path_get_basename (sp_check_path (check));
  g_autofree char *kind = NULL;
  g_autofree char *name = NULL;

  if (!sp_plugin_split (file, &kind, &name))
    sp_check_fail (check, "%s is not named KIND-NAME.so with the kind notify, store or vm", file);
}

static void
check_elf (SpCheck *check)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) exports = sp_elf_exports (sp_check_path (check), &error);

  if (exports == NULL)
    sp_check_fail (check, "%s", error->message);
}

static void
check_one_symbol (SpCheck *check)
{
  g_auto (GStrv) exports = sp_elf_exports (sp_check_path (check), NULL);
  g_autofree char *all = exports != NULL ? g_strjoinv (", ", exports) : NULL;
  guint n = exports != NULL ? g_strv_length (exports) : 0;

  if (n == 0)
    sp_check_fail (check, "it exports no symbol, and so no " SP_PLUGIN_SYMBOL "()");
  else if (!g_strv_contains ((const char *const *) exports, SP_PLUGIN_SYMBOL))
    sp_check_fail (check, "it does not export " SP_PLUGIN_SYMBOL "() but %s", all);
  else if (n > 1)
    sp_check_fail (check, "it exports %u symbols: %s", n, all);
}

static void
check_loads (SpCheck *check)
{
  g_autoptr (GError) error = NULL;
  SpLoadStage stage = SP_LOAD_FILE;

  (void) sp_check_try_load (check, &stage, &error);
  if (stage <= SP_LOAD_SYMBOL)
    sp_check_fail (check, "%s", error->message);
}

static const SpCheckCase cases[] = {
  { .name = "file/trusted",
    .what = "only root and this user can change it and its folder",
    .mend = "take the right to write from all others: chmod go-w, or move it to a folder of your "
            "own",
    .run = check_trusted,
    .flags = SP_CASE_GATE },
  { .name = "file/name",
    .what = "its name is KIND-NAME.so",
    .mend = "name it notify-NAME.so, store-NAME.so or vm-NAME.so: lower case, digits and dashes",
    .run = check_name,
    .flags = SP_CASE_GATE },
  { .name = "file/elf",
    .what = "it is a shared object for this machine",
    .mend = "build it with shared_module() in Meson, or cc -shared -fPIC",
    .run = check_elf,
    .flags = SP_CASE_GATE },
  { .name = "file/one-symbol",
    .what = "it exports " SP_PLUGIN_SYMBOL "() and nothing else",
    .mend =
        "use SP_NOTIFIER_PLUGIN(), SP_STORE_PLUGIN() or SP_VM_PLUGIN() once, make all else static "
        "or build with -fvisibility=hidden (Meson: gnu_symbol_visibility: 'hidden')",
    .run = check_one_symbol,
    .flags = SP_CASE_GATE },
  { .name = "file/loads",
    .what = "it loads: all that it needs is there",
    .mend = "link each library that it calls; -Wl,-z,defs shows at build time what is missing",
    .run = check_loads,
    .flags = SP_CASE_GATE },
};

const SpCheckGroup sp_check_file_group = { 0, cases, G_N_ELEMENTS (cases) };
