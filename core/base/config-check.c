/* config-check.c - sections against tables of options; the instances of plugins
 *
 * Sections of [vault] and [source] have a table here in base, those of plugins bring theirs along;
 * all go through the same few functions.
 */
#include "base/config-private.h"

#include <string.h>

#include "base/option.h"

/* ---- values under a table --------------------------------------------------------------------------- */

static void
complain_unknown (SpConfigCheck *check, const SpConfigSection *section, const SpConfigEntry *entry,
                  const SpOption *options, gsize n_options, const char *skip)
{
  g_autofree const char **keys = g_new0 (const char *, n_options + 2);
  g_autofree char *hint = NULL;

  for (gsize i = 0; i < n_options; i++)
    keys[i] = options[i].key;
  keys[n_options] = skip;
  hint = sp_did_you_mean (entry->key, keys);
  sp_config_complain (check->report, entry->line, "[%s %s] has no key '%s'%s", section->kind,
                      section->name, entry->key, hint);
}

static void
take_value (SpConfigCheck *check, const SpOption *option, const char *text, guint line,
            GHashTable *values)
{
  g_autoptr (GError) error = NULL;
  SpOptionValue *value = sp_option_parse (option, text, &error);

  if (value != NULL)
    g_hash_table_insert (values, g_strdup (option->key), value);
  else
    sp_config_complain (check->report, line, "%s: %s", option->key, error->message);
}

static void
take_absent (SpConfigCheck *check, const SpConfigSection *section, const SpOption *option,
             GHashTable *values)
{
  if (option->fallback != NULL)
    take_value (check, option, option->fallback, section->line, values);
  else if (option->flags & SP_OPTION_REQUIRED)
    sp_config_complain (check->report, section->line, "[%s %s] does not set '%s': %s",
                        section->kind, section->name, option->key, option->help);
}

GHashTable *
sp_config_take_values (SpConfigCheck *check, const SpConfigSection *section,
                       const SpOption *options, gsize n_options, const char *skip)
{
  g_autoptr (GHashTable) values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                                         (GDestroyNotify) sp_option_value_free);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < section->entries->len; i++) {
    const SpConfigEntry *entry = g_ptr_array_index (section->entries, i);
    const SpOption *option = sp_options_find (options, n_options, entry->key);

    g_hash_table_add (seen, entry->key);
    if (option == NULL && g_strcmp0 (entry->key, skip) != 0)
      complain_unknown (check, section, entry, options, n_options, skip);
    else if (option != NULL && entry->value != NULL)
      take_value (check, option, entry->value, entry->line, values);
  }
  for (gsize i = 0; i < n_options; i++)
    if (!g_hash_table_contains (seen, options[i].key))
      take_absent (check, section, &options[i], values);
  return g_steal_pointer (&values);
}

/* ---- instances of plugins --------------------------------------------------------------------------- */

static SpConfigInstance *
add_instance (SpConfigCheck *check, const char *kind, const char *name, const char *plugin)
{
  SpConfigInstance *instance = g_new0 (SpConfigInstance, 1);
  GStringChunk *strings = check->config->strings;

  instance->kind = g_string_chunk_insert_const (strings, kind);
  instance->name = g_string_chunk_insert_const (strings, name);
  instance->plugin = g_string_chunk_insert_const (strings, plugin);
  instance->options = g_variant_ref_sink (g_variant_new ("a{ss}", NULL));
  instance->secrets = g_variant_ref_sink (g_variant_new ("a{ss}", NULL));
  g_ptr_array_add (check->config->instances, instance);
  return instance;
}

/* Keep what the section sets, secrets apart from the rest.  @options NULL: nothing is known. */
static void
keep_options (SpConfigInstance *instance, const SpConfigSection *section, const SpOption *options,
              gsize n_options)
{
  GVariantBuilder plain, secret;

  g_variant_builder_init (&plain, G_VARIANT_TYPE ("a{ss}"));
  g_variant_builder_init (&secret, G_VARIANT_TYPE ("a{ss}"));
  for (guint i = 0; i < section->entries->len; i++) {
    const SpConfigEntry *entry = g_ptr_array_index (section->entries, i);
    const SpOption *option = sp_options_find (options, n_options, entry->key);
    gboolean is_secret = option != NULL && option->type == SP_OPTION_SECRET;

    if (entry->value != NULL && strcmp (entry->key, "plugin") != 0)
      g_variant_builder_add (is_secret ? &secret : &plain, "{ss}", entry->key, entry->value);
  }
  g_variant_unref (instance->options);
  g_variant_unref (instance->secrets);
  instance->options = g_variant_ref_sink (g_variant_builder_end (&plain));
  instance->secrets = g_variant_ref_sink (g_variant_builder_end (&secret));
}

/* FALSE: the table is not to be had; that was reported. */
static gboolean
describe (SpConfigCheck *check, const SpConfigSection *section, const char *plugin, guint line,
          const SpOption **ret_options, gsize *ret_n_options)
{
  g_autoptr (GError) error = NULL;

  if (check->describe == NULL)
    return FALSE;
  if (check->describe (section->kind, plugin, ret_options, ret_n_options, check->data, &error))
    return TRUE;
  if (g_error_matches (error, SP_ERROR, SP_ERROR_UNSUPPORTED))
    sp_config_warn (check->report, line, "[%s %s] is not checked: %s", section->kind, section->name,
                    error->message);
  else
    sp_config_complain (check->report, line, "%s", error->message);
  return FALSE;
}

void
sp_config_take_instance (SpConfigCheck *check, const SpConfigSection *section)
{
  const char *plugin = sp_config_section_value (section, "plugin");
  guint line = sp_config_section_line (section, "plugin");
  const SpOption *options = NULL;
  gsize n_options = 0;
  SpConfigInstance *instance;

  if (plugin == NULL)
    plugin = section->name;
  instance = add_instance (check, section->kind, section->name, plugin);
  if (*plugin == '\0')
    sp_config_complain (check->report, line, "plugin: there is no name");
  else if (describe (check, section, plugin, line, &options, &n_options))
    g_hash_table_unref (sp_config_take_values (check, section, options, n_options, "plugin"));
  keep_options (instance, section, options, n_options);
}

static char *
nearest_instance (SpConfigCheck *check, const char *kind, const char *name)
{
  g_autofree const char **names = g_new0 (const char *, check->config->instances->len + 1);
  gsize n = 0;

  for (guint i = 0; i < check->config->instances->len; i++) {
    const SpConfigInstance *instance = g_ptr_array_index (check->config->instances, i);

    if (strcmp (instance->kind, kind) == 0)
      names[n++] = instance->name;
  }
  return g_strdup (sp_nearest (name, names));
}

/* A bare name: that plugin, all of its options at their defaults. */
static gboolean
check_bare (SpConfigCheck *check, const char *kind, const char *name, guint line)
{
  g_autofree char *near = nearest_instance (check, kind, name);
  g_autoptr (GError) error = NULL;
  const SpOption *options = NULL;
  gsize n_options = 0;

  if (check->describe == NULL)
    return TRUE;
  if (check->describe (kind, name, &options, &n_options, check->data, &error)) {
    for (gsize i = 0; i < n_options; i++)
      if (options[i].flags & SP_OPTION_REQUIRED)
        sp_config_complain (check->report, line, "%s '%s' does not set '%s': add [%s %s] with it",
                            kind, name, options[i].key, kind, name);
    return TRUE;
  }
  if (g_error_matches (error, SP_ERROR, SP_ERROR_UNSUPPORTED)) {
    sp_config_warn (check->report, line, "%s '%s' is not checked: %s", kind, name, error->message);
    return TRUE;
  }
  if (near != NULL)
    sp_config_complain (check->report, line, "there is no [%s %s]: did you mean '%s'?", kind, name,
                        near);
  else
    sp_config_complain (check->report, line, "there is no [%s %s], and %s", kind, name,
                        error->message);
  return FALSE;
}

const SpConfigInstance *
sp_config_need_instance (SpConfigCheck *check, const char *kind, const char *name, guint line)
{
  const SpConfigInstance *instance = sp_config_find_instance (check->config, kind, name);

  if (instance != NULL)
    return instance;
  if (!sp_is_name (name)) {
    sp_config_complain (check->report, line, "%s: '%s' is no name", kind, name);
    return NULL;
  }
  if (!check_bare (check, kind, name, line))
    return NULL;
  return add_instance (check, kind, name, name);
}

/* ---- all sections ----------------------------------------------------------------------------------- */

typedef struct {
  const char *kind;
  void (*take) (SpConfigCheck *check, const SpConfigSection *section);
} Taker;

/* In this order, whatever the order of the file: vaults name instances, and approvers too. */
static const Taker takers[] = {
  { "vm", sp_config_take_instance },       { "notify", sp_config_take_instance },
  { "store", sp_config_take_instance },    { "vault", sp_config_take_vault },
  { "approver", sp_config_take_approver }, { "source", sp_config_take_source },
};

void
sp_config_check (SpConfigCheck *check)
{
  for (gsize i = 0; i < G_N_ELEMENTS (takers); i++)
    for (guint k = 0; k < check->sections->len; k++) {
      const SpConfigSection *section = g_ptr_array_index (check->sections, k);

      if (strcmp (section->kind, takers[i].kind) == 0)
        takers[i].take (check, section);
    }
  if (check->config->vaults->len == 0)
    sp_config_complain (check->report, 0, "there is no vault: add a section [vault default]");
  sp_config_check_people (check);
}
