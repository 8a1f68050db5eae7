/* elf-closure.c - elf-closure.h */
#include "host/appliance/elf-closure.h"

#include <string.h>

#include "base/harden.h"
#include "base/problem.h"
#include "host/program.h"
#include "sp-build.h"

#define LOADER "/lib64/ld-linux-x86-64.so.2"
#define LOADER_NAME "ld-linux-x86-64.so.2"
#define TLS_MODULE "libgiognutls.so"

/* "\tlibc.so.6 => /lib/…/libc.so.6 (0x…)", "\tlibx.so => not found"; lines of other forms name what has
 * no file (linux-vdso), or the loader. */
static gboolean
take_line (GHashTable *libraries, const char *file, char *line, GError **error)
{
  char *arrow = strstr (line, " => ");
  char *end;

  if (arrow == NULL)
    return TRUE;
  *arrow = 0;
  arrow += strlen (" => ");
  if (g_str_has_prefix (arrow, "not found")) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "%s needs %s, which is not on this machine: install its package", file,
                 g_strstrip (line));
    return FALSE;
  }
  end = strstr (arrow, " (0x");
  if (end == NULL || *arrow != '/')
    return TRUE;
  *end = 0;
  g_hash_table_insert (libraries, g_path_get_basename (g_strstrip (line)), g_strdup (arrow));
  return TRUE;
}

static char *
ask_loader (const char *file, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  g_auto (GStrv) environment = sp_clean_environment ();
  g_autoptr (GSubprocess) process = NULL;
  g_autofree char *out = NULL;
  g_autofree char *err = NULL;

  g_subprocess_launcher_set_environ (launcher, environment);
  process = g_subprocess_launcher_spawn (launcher, error, LOADER, "--list", file, NULL);
  if (process == NULL || !g_subprocess_communicate_utf8 (process, NULL, NULL, &out, &err, error))
    return NULL;
  if (g_subprocess_get_successful (process))
    return g_steal_pointer (&out);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "cannot tell what %s needs: %s", file,
               g_strstrip (err));
  return NULL;
}

static gboolean
add_file (GHashTable *libraries, const char *file, GError **error)
{
  g_autofree char *text = ask_loader (file, error);
  g_auto (GStrv) lines = text ? g_strsplit (text, "\n", -1) : NULL;

  if (lines == NULL)
    return FALSE;
  for (char **line = lines; *line != NULL; line++)
    if (!take_line (libraries, file, *line, error))
      return FALSE;
  return TRUE;
}

GHashTable *
sp_elf_closure (const char *const *files, GError **error)
{
  g_autoptr (GHashTable) libraries =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  g_hash_table_insert (libraries, g_strdup (LOADER_NAME), g_strdup (LOADER));
  for (; *files != NULL; files++)
    if (!add_file (libraries, *files, error))
      return NULL;
  return g_steal_pointer (&libraries);
}

char *
sp_elf_tls_module (void)
{
  return g_build_filename (SP_GIO_MODULE_DIR, TLS_MODULE, NULL);
}

GHashTable *
sp_elf_closure_of_daemon (GError **error)
{
  g_autofree char *daemon = sp_program_daemon (error);
  g_autofree char *module = sp_elf_tls_module ();
  const char *const files[] = { daemon, module, NULL };

  return daemon ? sp_elf_closure (files, error) : NULL;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (a, b);
}

char *
sp_elf_library_list (const char *const *files, GError **error)
{
  g_autoptr (GHashTable) libraries = sp_elf_closure (files, error);
  g_autofree char *module = sp_elf_tls_module ();
  g_autoptr (GList) names = NULL;
  GString *text;

  if (libraries == NULL)
    return NULL;
  text = g_string_new (NULL);
  names = g_list_sort (g_hash_table_get_keys (libraries), compare_names);
  for (GList *name = names; name != NULL; name = name->next)
    g_string_append_printf (text, "%s %s\n", (char *) name->data,
                            (char *) g_hash_table_lookup (libraries, name->data));
  g_string_append_printf (text, "gio/modules/" TLS_MODULE " %s\n", module);
  return g_string_free (text, FALSE);
}
