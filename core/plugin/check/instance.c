/* instance.c - an instance of the plugin under test: its life, each step as a call with rules
 *
 * What must stay true: an instance that was opened is closed, and one that was started is stopped first,
 * whatever the point that made it returned early for.
 */
#include "plugin/check/case.h"

#include <string.h>
#include <sys/stat.h>

#include "base/option.h"
#include "plugin/find.h"

#define OPEN_MS 5000
#define STOP_MS 2000 /* as secret-proxy/plugin.h says */

SpCheckInstance *
sp_check_instance_new (SpCheck *check, const char *name, SpCheckFill fill, guint shape,
                       GError **error)
{
  SpCheckInstance *instance = g_new0 (SpCheckInstance, 1);
  const SpPluginModule *module = sp_check_load (check);
  g_autofree char *base = NULL;
  g_autoptr (GVariant) options = NULL;

  sp_host_view_init (&instance->view, &sp_check_api);
  instance->check = check;
  instance->module = module;
  instance->view.instance = g_strdup (name);
  base = g_strdup_printf ("%s-%s", sp_kind_word (module->plugin.kind), name);
  instance->view.state_dir = g_build_filename (sp_check_folder (check), base, NULL);
  (void) g_mkdir_with_parents (instance->view.state_dir, 0700);
  instance->view.people = sp_check_people (check);
  instance->secrets =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_bytes_unref);
  instance->notices =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_strfreev);
  options =
      g_variant_ref_sink (sp_check_fill (check, module, fill, shape, name, instance->secrets));
  instance->view.values = sp_options_resolve (module->options, module->n_options, options, error);
  if (instance->view.values != NULL)
    return instance;
  sp_check_instance_free (instance);
  return NULL;
}

void
sp_check_instance_free (SpCheckInstance *instance)
{
  if (instance == NULL)
    return;
  sp_check_stop (instance);
  sp_check_close (instance);
  g_hash_table_unref (instance->secrets);
  g_hash_table_unref (instance->notices);
  sp_host_view_clear (&instance->view);
  g_free (instance);
}

gboolean
sp_check_open (SpCheckInstance *instance, GError **error)
{
  SpCheck *check = instance->check;
  g_autoptr (GError) why = NULL;

  sp_check_enter_uncancellable (check, "open()", OPEN_MS);
  instance->self = instance->module->plugin.open (&instance->view.host, &why);
  if (sp_check_leave (check, instance->self != NULL, why))
    return TRUE;
  if (why != NULL)
    g_propagate_error (error, g_steal_pointer (&why));
  else
    g_set_error_literal (error, SP_ERROR, SP_ERROR_INTERNAL, "it did not say why");
  return FALSE;
}

gboolean
sp_check_start (SpCheckInstance *instance, guint deadline_ms, GError **error)
{
  SpCheck *check = instance->check;
  g_autoptr (GError) why = NULL;
  GCancellable *cancellable;
  gboolean ok;

  if (instance->module->plugin.start == NULL) {
    instance->started = TRUE;
    return TRUE;
  }
  cancellable = sp_check_enter (check, "start()", deadline_ms);
  ok = instance->module->plugin.start (instance->self, cancellable, &why);
  instance->started = sp_check_leave (check, ok, why);
  if (instance->started)
    return TRUE;
  if (why != NULL)
    g_propagate_error (error, g_steal_pointer (&why));
  else
    g_set_error_literal (error, SP_ERROR, SP_ERROR_INTERNAL, "it did not say why");
  return FALSE;
}

void
sp_check_stop (SpCheckInstance *instance)
{
  if (!instance->started)
    return;
  instance->started = FALSE;
  if (instance->module->plugin.stop == NULL)
    return;
  sp_check_enter_uncancellable (instance->check, "stop()", STOP_MS);
  instance->module->plugin.stop (instance->self);
  sp_check_leave_plain (instance->check);
}

void
sp_check_close (SpCheckInstance *instance)
{
  gpointer self = g_steal_pointer (&instance->self);

  if (self == NULL)
    return;
  sp_check_enter_uncancellable (instance->check, "close()", STOP_MS);
  instance->module->plugin.close (self);
  sp_check_leave_plain (instance->check);
}

SpCheckInstance *
sp_check_up (SpCheck *check, const char *name)
{
  g_autoptr (SpCheckInstance) instance = NULL;
  g_autoptr (GError) error = NULL;

  if (sp_check_load (check) == NULL)
    return NULL;
  instance = sp_check_instance_new (check, name, SP_FILL_LEAST, sp_check_shape (check), &error);
  if (instance == NULL || !sp_check_open (instance, &error)) {
    (void) sp_check_need (check, "open()", FALSE, error);
    return NULL;
  }
  if (!sp_check_start (instance, SP_CHECK_USUAL_MS, &error)) {
    (void) sp_check_need (check, "start()", FALSE, error);
    return NULL;
  }
  return g_steal_pointer (&instance);
}
