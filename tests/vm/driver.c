/* driver.c - a vm plugin on a line: what core/host/vm/vm.h offers, for scenarios written in Python
 *
 *   driver PLUGIN-DIR STATE PLUGIN OPTIONS          a command a line on stdin, an answer a line
 *   driver PLUGIN-DIR STATE PLUGIN OPTIONS --watch  the same commands, and "changed ID" when that comes
 *
 * OPTIONS: a{ss} as GVariant text.  Commands: probe; create SPECIFICATION, as GVariant text of
 * SP_VM_SPEC_TYPE; start, destroy, inspect ID; stop ID; force ID.  Answers: "ok ...", "error ...".
 */
#include <stdio.h>
#include <string.h>

#include "host/vm/vm.h"
#include "plugin/protocol.h"

static void
say (gboolean ok, const char *what, const GError *error)
{
  (void) printf ("%s %s\n", ok ? "ok" : "error", ok ? what : error->message);
  (void) fflush (stdout);
}

static SpVmSpec *
parse_spec (const char *text, GError **error)
{
  g_autoptr (GVariant) value =
      g_variant_parse (G_VARIANT_TYPE (SP_VM_SPEC_TYPE), text, NULL, NULL, error);

  return value != NULL ? sp_vm_spec_from_variant (value) : NULL;
}

static char *
text_of_info (const SpVmInfo *info)
{
  return g_strdup_printf ("%u %u %d %s", info->state, info->acceleration, (int) info->pid,
                          info->why != NULL ? info->why : "-");
}

/* ---- one after the other ------------------------------------------------------------------------ */

static gboolean
create (SpVm *vm, const char *argument, char **ret_text, GError **error)
{
  g_autoptr (SpVmSpec) spec = parse_spec (argument, error);

  return spec != NULL && sp_vm_create (vm, spec, error);
}

static gboolean
probe (SpVm *vm, const char *argument, char **ret_text, GError **error)
{
  SpVmProbe found = { .size = sizeof found };

  if (!sp_vm_probe (vm, &found, error))
    return FALSE;
  *ret_text = g_strdup_printf ("%u %s | %s", found.acceleration, found.version, found.why);
  sp_vm_probe_clear (&found);
  return TRUE;
}

static gboolean
inspect (SpVm *vm, const char *argument, char **ret_text, GError **error)
{
  SpVmInfo info = { .size = sizeof info };

  if (!sp_vm_inspect (vm, argument, &info, error))
    return FALSE;
  *ret_text = text_of_info (&info);
  sp_vm_info_clear (&info);
  return TRUE;
}

static gboolean
start (SpVm *vm, const char *argument, char **ret_text, GError **error)
{
  return sp_vm_start (vm, argument, error);
}

static gboolean
stop (SpVm *vm, const char *argument, char **ret_text, GError **error)
{
  return sp_vm_stop (vm, argument, FALSE, error);
}

static gboolean
force (SpVm *vm, const char *argument, char **ret_text, GError **error)
{
  return sp_vm_stop (vm, argument, TRUE, error);
}

static gboolean
destroy (SpVm *vm, const char *argument, char **ret_text, GError **error)
{
  return sp_vm_destroy (vm, argument, error);
}

static const struct {
  const char *word;
  gboolean (*run) (SpVm *vm, const char *argument, char **ret_text, GError **error);
} commands[] = { { "probe", probe },    { "create", create }, { "start", start },
                 { "stop", stop },      { "force", force },   { "destroy", destroy },
                 { "inspect", inspect } };

static void
run_line (SpVm *vm, char *line)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  char *argument = strchr (line, ' ');

  if (argument != NULL)
    *argument++ = '\0';
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (strcmp (commands[i].word, line) == 0) {
      gboolean ok = commands[i].run (vm, argument, &text, &error);

      say (ok, text != NULL ? text : "", error);
      return;
    }
}

static char *
read_line (void)
{
  char *line = NULL;
  size_t size = 0;

  if (getline (&line, &size, stdin) < 0)
    g_clear_pointer (&line, free);
  return line != NULL ? g_strchomp (line) : NULL;
}

static void
on_progress (const char *what, gpointer data)
{
  g_printerr ("progress: %s\n", what);
}

static int
run (const SpConfigInstance *instance, const char *plugin_dir, const char *state)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpVm) vm = sp_vm_open (instance, plugin_dir, state, &error);
  char *line;

  say (vm != NULL, "open", error);
  if (vm == NULL)
    return 1;
  sp_vm_set_progress (vm, on_progress, NULL);
  while ((line = read_line ()) != NULL) {
    run_line (vm, line);
    free (line);
  }
  return 0;
}

/* ---- with a main loop --------------------------------------------------------------------------- */

static void
on_done (const GError *error, gpointer data)
{
  say (error == NULL, data, error);
}

static void
on_inspected (const SpVmInfo *info, const GError *error, gpointer data)
{
  g_autofree char *text = info != NULL ? text_of_info (info) : NULL;

  say (error == NULL, text, error);
}

static void
on_changed (const char *id, gpointer data)
{
  SpPluginProcess *const *process = data;

  (void) printf ("changed %s\n", id);
  sp_plugin_client_vm_inspect (sp_plugin_process_client (*process), id, on_inspected, NULL);
}

static void
on_state (gpointer data)
{
  SpPluginProcess *const *process = data;

  if (*process != NULL)
    (void) printf ("state %d\n",
                   (int) sp_plugin_client_state (sp_plugin_process_client (*process)));
  (void) fflush (stdout);
}

static int
watch (const SpConfigInstance *instance, const char *plugin_dir, const char *state)
{
  static const SpPluginProcessEvents events = { .vm_changed = on_changed,
                                                .state_changed = on_state };
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GError) error = NULL;
  SpPluginProcess *process = NULL;
  g_autofree char *line = read_line ();
  g_autoptr (SpVmSpec) spec = parse_spec (line, &error);

  if (spec != NULL)
    process = sp_vm_process_new (instance, plugin_dir, state, &events, &process, &error);
  if (process == NULL) {
    say (FALSE, NULL, error);
    return 1;
  }
  sp_plugin_client_vm_create (sp_plugin_process_client (process), spec, on_done, "created");
  sp_plugin_client_vm_start (sp_plugin_process_client (process), spec->id, on_done, "started");
  g_main_loop_run (loop);
  return 0;
}

int
main (int argc, char **argv)
{
  g_autoptr (GVariant) options =
      argc >= 5 ? g_variant_parse (G_VARIANT_TYPE ("a{ss}"), argv[4], NULL, NULL, NULL) : NULL;
  SpConfigInstance instance = { .kind = "vm", .name = "test", .options = options };

  if (options == NULL)
    return 2;
  instance.plugin = argv[3];
  return argc > 5 ? watch (&instance, argv[1], argv[2]) : run (&instance, argv[1], argv[2]);
}
