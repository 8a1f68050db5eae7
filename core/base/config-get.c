/* config-get.c - the getters of config.h */
#include "base/config-private.h"

#include <string.h>

#include "base/option.h"
#include "base/problem.h"

const SpConfigVault *const *
sp_config_vaults (const SpConfig *config)
{
  return (const SpConfigVault *const *) config->vaults->pdata;
}

const SpConfigApprover *const *
sp_config_approvers (const SpConfig *config)
{
  return (const SpConfigApprover *const *) config->approvers->pdata;
}

const SpConfigSource *const *
sp_config_sources (const SpConfig *config)
{
  return (const SpConfigSource *const *) config->sources->pdata;
}

const SpConfigInstance *const *
sp_config_instances (const SpConfig *config)
{
  return (const SpConfigInstance *const *) config->instances->pdata;
}

const char *const *
sp_config_warnings (const SpConfig *config)
{
  return (const char *const *) config->warnings;
}

SpConfigInstance *
sp_config_find_instance (const SpConfig *config, const char *kind, const char *name)
{
  for (guint i = 0; i < config->instances->len; i++) {
    SpConfigInstance *instance = g_ptr_array_index (config->instances, i);

    if (instance != NULL && strcmp (instance->kind, kind) == 0 &&
        strcmp (instance->name, name) == 0)
      return instance;
  }
  return NULL;
}

/* ---- by name ---------------------------------------------------------------------------------------- */

/* The name is the first member of a vault and of a source. */
static const char *
name_of (gconstpointer item)
{
  return *(const char *const *) item;
}

static gconstpointer
find_by_name (const GPtrArray *items, const char *what, const char *name, GError **error)
{
  g_autofree const char **names = g_new0 (const char *, items->len + 1);
  g_autofree char *hint = NULL;

  for (guint i = 0; g_ptr_array_index (items, i) != NULL; i++) {
    names[i] = name_of (g_ptr_array_index (items, i));
    if (strcmp (names[i], name) == 0)
      return g_ptr_array_index (items, i);
  }
  hint = sp_did_you_mean (name, names);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "the config file has no [%s %s]%s", what,
               name, hint);
  return NULL;
}

const SpConfigVault *
sp_config_vault (const SpConfig *config, const char *name, GError **error)
{
  /* One, and the NULL at the end. */
  if (name == NULL && config->vaults->len == 2)
    return g_ptr_array_index (config->vaults, 0);
  return find_by_name (config->vaults, "vault", name != NULL ? name : "default", error);
}

const SpConfigSource *
sp_config_source (const SpConfig *config, const char *name, GError **error)
{
  return find_by_name (config->sources, "source", name, error);
}

GVariant *
sp_config_people (const SpConfig *config, const char *instance)
{
  g_auto (GVariantBuilder) people = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_STRING_ARRAY);

  for (guint i = 0; g_ptr_array_index (config->approvers, i) != NULL; i++) {
    const SpConfigApprover *approver = g_ptr_array_index (config->approvers, i);
    const char *id;

    if (g_variant_lookup (approver->ids, instance, "&s", &id))
      g_variant_builder_add (&people, "s", id);
  }
  return g_variant_ref_sink (g_variant_builder_end (&people));
}
