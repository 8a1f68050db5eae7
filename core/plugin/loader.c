/* loader.c - dlopen, then the agreement on sizes
 *
 * A plugin may be older or newer than this core.  Its tables are copied into zeroed ones of ours, as
 * far as both sides know them: what an older plugin lacks reads as unset, what a newer one has on top
 * is not seen.  A changed meaning shows in the ABI number, and is refused with both numbers.
 */
#include "plugin/loader.h"

#include <string.h>
#include <unistd.h>

#include "base/option.h"
#include "base/problem.h"
#include "plugin/find.h"

#define MAX_OPTIONS 256
#define MAX_LINE 200

#define fail(error, ...) g_set_error ((error), SP_PROBLEM, SP_PROBLEM_CONFIG, __VA_ARGS__)

void
sp_plugin_module_free (SpPluginModule *module)
{
  if (module == NULL)
    return;
  g_free (module->path);
  g_free (module->options);
  g_free (module);
}

/* ---- calls ------------------------------------------------------------------------------------------ */

typedef void (*AnyFunc) (void);

typedef struct {
  const char *name;
  guint32 kind; /* 0: all */
  gsize offset;
  gboolean required;
} Call;

#define CALL(table, call, kind, required) \
  { \
#call, kind, G_STRUCT_OFFSET(SpPluginModule, table.call), required \
  }

static const Call calls[] = {
  CALL (plugin, open, 0, TRUE),
  CALL (plugin, start, 0, FALSE),
  CALL (plugin, stop, 0, FALSE),
  CALL (plugin, close, 0, TRUE),
  CALL (notifier, post, SP_KIND_NOTIFIER, TRUE),
  CALL (notifier, settle, SP_KIND_NOTIFIER, FALSE),
  CALL (notifier, render, SP_KIND_NOTIFIER, FALSE),
  CALL (store, read, SP_KIND_STORE, TRUE),
  CALL (store, write, SP_KIND_STORE, TRUE),
  CALL (store, scan, SP_KIND_STORE, TRUE),
  CALL (vm, probe, SP_KIND_VM, TRUE),
  CALL (vm, create, SP_KIND_VM, TRUE),
  CALL (vm, start, SP_KIND_VM, TRUE),
  CALL (vm, stop, SP_KIND_VM, TRUE),
  CALL (vm, destroy, SP_KIND_VM, TRUE),
  CALL (vm, inspect, SP_KIND_VM, TRUE),
  CALL (vm, list, SP_KIND_VM, TRUE),
};

static gboolean
provides (const SpPluginModule *module, const Call *call)
{
  AnyFunc func;

  if (call->kind != 0 && call->kind != module->plugin.kind)
    return FALSE;
  memcpy (&func, (const guint8 *) module + call->offset, sizeof func);
  return func != NULL;
}

const char **
sp_plugin_module_calls (const SpPluginModule *module)
{
  const char **names = g_new0 (const char *, G_N_ELEMENTS (calls) + 1);
  gsize n = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (calls); i++)
    if (provides (module, &calls[i]))
      names[n++] = calls[i].name;
  return names;
}

static gboolean
check_calls (const SpPluginModule *module, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (calls); i++)
    if (calls[i].required && (calls[i].kind == 0 || calls[i].kind == module->plugin.kind) &&
        !provides (module, &calls[i])) {
      fail (error, "it lacks the call %s(), which every %s plugin needs", calls[i].name,
            sp_kind_word (module->plugin.kind));
      return FALSE;
    }
  return TRUE;
}

/* ---- sizes and numbers ------------------------------------------------------------------------------ */

typedef struct {
  guint32 kind;
  guint32 abi;
  gsize offset, size;
} OpsRow;

static const OpsRow ops_rows[] = {
  { SP_KIND_NOTIFIER, SP_NOTIFIER_ABI, G_STRUCT_OFFSET (SpPluginModule, notifier),
    sizeof (SpNotifierOps) },
  { SP_KIND_STORE, SP_STORE_ABI, G_STRUCT_OFFSET (SpPluginModule, store), sizeof (SpStoreOps) },
  { SP_KIND_VM, SP_VM_ABI, G_STRUCT_OFFSET (SpPluginModule, vm), sizeof (SpVmOps) },
};

static gboolean
copy_plugin (SpPluginModule *module, const SpPlugin *theirs, GError **error)
{
  gsize least = G_STRUCT_OFFSET (SpPlugin, name);

  if (theirs->abi != SP_PLUGIN_ABI) {
    fail (error, "it is built for plugin ABI %u, and this core speaks %u: build it anew",
          theirs->abi, SP_PLUGIN_ABI);
    return FALSE;
  }
  if (theirs->size < least) {
    fail (error,
          "its description has %" G_GSIZE_FORMAT " bytes, and %" G_GSIZE_FORMAT " are the least",
          theirs->size, least);
    return FALSE;
  }
  memcpy (&module->plugin, theirs, MIN (sizeof module->plugin, theirs->size));
  return TRUE;
}

static gboolean
copy_ops (SpPluginModule *module, GError **error)
{
  const SpPlugin *plugin = &module->plugin;

  for (gsize i = 0; i < G_N_ELEMENTS (ops_rows); i++) {
    const OpsRow *row = &ops_rows[i];

    if (row->kind != plugin->kind)
      continue;
    if (plugin->ops_abi != row->abi) {
      fail (error, "it is built for %s ABI %u, and this core speaks %u: build it anew",
            sp_kind_word (plugin->kind), plugin->ops_abi, row->abi);
      return FALSE;
    }
    if (plugin->ops != NULL)
      memcpy ((guint8 *) module + row->offset, plugin->ops, MIN (row->size, plugin->ops_size));
    return TRUE;
  }
  fail (error, "its kind is %u, which this core does not know", plugin->kind);
  return FALSE;
}

static gboolean
copy_options (SpPluginModule *module, GError **error)
{
  const SpPlugin *plugin = &module->plugin;
  const guint8 *at = (const guint8 *) plugin->options;

  if (plugin->n_options == 0)
    return TRUE;
  if (at == NULL || plugin->n_options > MAX_OPTIONS ||
      plugin->option_size < G_STRUCT_OFFSET (SpOption, fallback)) {
    fail (error,
          "its table of options makes no sense: %" G_GSIZE_FORMAT " options of %" G_GSIZE_FORMAT
          " bytes",
          plugin->n_options, plugin->option_size);
    return FALSE;
  }
  module->options = g_new0 (SpOption, plugin->n_options);
  module->n_options = plugin->n_options;
  for (gsize i = 0; i < plugin->n_options; i++, at += plugin->option_size)
    memcpy (&module->options[i], at, MIN (sizeof (SpOption), plugin->option_size));
  module->plugin.options = module->options;
  return sp_options_check (module->options, module->n_options, error);
}

/* ---- words ------------------------------------------------------------------------------------------ */

static gboolean
is_line (const char *text)
{
  gsize length = text != NULL ? strlen (text) : 0;

  if (length == 0 || length > MAX_LINE || !g_utf8_validate (text, -1, NULL))
    return FALSE;
  for (; *text != '\0'; text++)
    if (g_ascii_iscntrl (*text))
      return FALSE;
  return TRUE;
}

/* The file's name is what the admin and the config go by, so it must be the truth. */
static gboolean
check_words (const SpPluginModule *module, const char *file, GError **error)
{
  const SpPlugin *plugin = &module->plugin;
  g_autofree char *expected = NULL;

  if (plugin->name == NULL || !sp_plugin_is_name (plugin->name)) {
    fail (error, "its name is not lower case letters, digits and dashes, at most 32");
    return FALSE;
  }
  expected = g_strdup_printf ("%s-%s.so", sp_kind_word (plugin->kind), plugin->name);
  if (strcmp (expected, file) != 0) {
    fail (error, "it says that it is the %s plugin '%s', whose file is named %s",
          sp_kind_word (plugin->kind), plugin->name, expected);
    return FALSE;
  }
  if (!is_line (plugin->version) || !is_line (plugin->summary)) {
    fail (error, "its version or summary is not one line of 1 to %d bytes", MAX_LINE);
    return FALSE;
  }
  return TRUE;
}

static gboolean
copy_tables (SpPluginModule *module, const SpPlugin *theirs, GError **error)
{
  if (theirs != NULL)
    return copy_plugin (module, theirs, error) && copy_ops (module, error);
  fail (error, "its " SP_PLUGIN_SYMBOL "() returns nothing");
  return FALSE;
}

/* @stage moves on with each thing that was agreed on. */
static gboolean
agree (SpPluginModule *module, const SpPlugin *theirs, const char *file, SpLoadStage *stage,
       GError **error)
{
  *stage = SP_LOAD_ABI;
  if (!copy_tables (module, theirs, error))
    return FALSE;
  *stage = SP_LOAD_WORDS;
  if (!check_words (module, file, error))
    return FALSE;
  *stage = SP_LOAD_CALLS;
  if (!check_calls (module, error))
    return FALSE;
  *stage = SP_LOAD_OPTIONS;
  if (!copy_options (module, error))
    return FALSE;
  *stage = SP_LOAD_DONE;
  return TRUE;
}

/* ---- loading ---------------------------------------------------------------------------------------- */

static SpPluginFunc
open_module (int dir_fd, const char *file, SpLoadStage *stage, GError **error)
{
  /* Through the descriptor that was checked, not by the path once more. */
  g_autofree char *through = g_strdup_printf ("/proc/self/fd/%d/%s", dir_fd, file);
  GModule *module = g_module_open (through, G_MODULE_BIND_LOCAL);
  gpointer symbol = NULL;
  SpPluginFunc func;

  *stage = SP_LOAD_LINK;
  if (module == NULL) {
    const char *why = g_module_error ();

    if (g_str_has_prefix (why, through))
      why += strlen (through) + strspn (why + strlen (through), ": ");
    fail (error, "it can't be loaded: %s", why);
    return NULL;
  }
  /* Its code stays mapped: threads and handlers of its libraries may outlive any close. */
  g_module_make_resident (module);
  *stage = SP_LOAD_SYMBOL;
  if (!g_module_symbol (module, SP_PLUGIN_SYMBOL, &symbol) || symbol == NULL) {
    fail (error, "it is no plugin: it does not export " SP_PLUGIN_SYMBOL "()");
    return NULL;
  }
  memcpy (&func, &symbol, sizeof func);
  return func;
}

static SpPluginModule *
load (int dir_fd, const char *path, const char *file, SpLoadStage *stage, GError **error)
{
  g_autoptr (SpPluginModule) module = g_new0 (SpPluginModule, 1);
  g_autoptr (GError) why = NULL;

  module->path = g_strdup (path);
  module->entry = open_module (dir_fd, file, stage, &why);
  if (module->entry != NULL && agree (module, module->entry (), file, stage, &why))
    return g_steal_pointer (&module);
  g_propagate_prefixed_error (error, g_steal_pointer (&why), "plugin %s: ", path);
  return NULL;
}

SpPluginModule *
sp_plugin_load_in_stages (const char *path, SpLoadStage *ret_stage, GError **error)
{
  g_autofree char *whole = g_canonicalize_filename (path, NULL);
  g_autofree char *dir = g_path_get_dirname (whole);
  g_autofree char *file = g_path_get_basename (whole);
  SpPluginModule *module = NULL;
  int dir_fd = sp_plugin_open_dir (dir, error);

  *ret_stage = SP_LOAD_FILE;
  if (dir_fd < 0)
    return NULL;
  if (sp_plugin_check_file (dir_fd, dir, file, error))
    module = load (dir_fd, whole, file, ret_stage, error);
  (void) close (dir_fd);
  return module;
}

SpPluginModule *
sp_plugin_load (const char *path, GError **error)
{
  SpLoadStage stage;

  return sp_plugin_load_in_stages (path, &stage, error);
}
