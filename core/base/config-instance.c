/* config-instance.c - the sections of plugins: [notify NAME], [store NAME], [vm NAME]
 *
 * Each is checked against the table that its plugin brings along, and a few keys of the core's own,
 * which no plugin may have (see sp_option_is_reserved()).
 */
#include "base/config-private.h"

#include <string.h>

#include "base/option.h"
#include "base/user.h"

/* ---- the core's own keys ---------------------------------------------------------------------------- */

static const SpOption own_options[] = {
  { .key = "plugin",
    .type = SP_OPTION_STRING,
    .help = "the plugin; without it the one that has the section's name" },
  /* From here on for notifiers only. */
  { .key = "where",
    .type = SP_OPTION_CHOICE,
    .choices = "vault|host",
    .fallback = "vault",
    .help = "whether it runs in the vault VM or on the host, beside the resident process" },
  { .key = "critical",
    .type = SP_OPTION_BOOL,
    .fallback = "yes",
    .help = "whether the vault refuses to serve while it does not work" },
  { .key = "run-as",
    .type = SP_OPTION_STRING,
    .help = "the user that it runs as, with 'where = host'; without it one that owns nothing" },
};

const SpOption *
sp_config_instance_table (const char *kind, gsize *ret_n_options)
{
  *ret_n_options = strcmp (kind, "notify") == 0 ? G_N_ELEMENTS (own_options) : 1;
  return own_options;
}

/* ---- instances ---------------------------------------------------------------------------------------- */

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
  instance->critical = TRUE;
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

    if (entry->value != NULL && !sp_option_is_reserved (entry->key))
      g_variant_builder_add (is_secret ? &secret : &plain, "{ss}", entry->key, entry->value);
  }
  g_variant_unref (instance->options);
  g_variant_unref (instance->secrets);
  instance->options = g_variant_ref_sink (g_variant_builder_end (&plain));
  instance->secrets = g_variant_ref_sink (g_variant_builder_end (&secret));
}

static gboolean
is_optional (const SpConfigSection *section)
{
  const char *critical = sp_config_section_value (section, "critical");
  gboolean value = TRUE;

  return strcmp (section->kind, "notify") == 0 && critical != NULL &&
         sp_parse_bool (critical, &value, NULL) && !value;
}

/* FALSE: the table is not to be had; that was reported. */
static gboolean
describe (SpConfigCheck *check, const SpConfigSection *section, SpConfigInstance *instance,
          guint line, const SpOption **ret_options, gsize *ret_n_options)
{
  g_autoptr (GError) error = NULL;

  if (check->describe == NULL)
    return FALSE;
  if (check->describe (section->kind, instance->plugin, ret_options, ret_n_options, check->data,
                       &error))
    return TRUE;
  if (g_error_matches (error, SP_ERROR, SP_ERROR_UNSUPPORTED))
    sp_config_warn (check->report, line, "[%s %s] is not checked: %s", section->kind, section->name,
                    error->message);
  else if (is_optional (section)) {
    instance->trouble = g_string_chunk_insert (check->config->strings, error->message);
    sp_config_warn (check->report, line, "[%s %s] is left out, as it is not critical: %s",
                    section->kind, section->name, error->message);
  } else
    sp_config_complain (check->report, line, "%s", error->message);
  return FALSE;
}

/* The plugin's table and ours as one, to be freed; its rows are the plugin's and ours. */
static SpOption *
join_tables (const SpOption *options, gsize n_options, const SpOption *own, gsize n_own)
{
  SpOption *all = g_new0 (SpOption, n_options + n_own);

  for (gsize i = 0; i < n_options; i++)
    all[i] = options[i];
  for (gsize i = 0; i < n_own; i++)
    all[n_options + i] = own[i];
  return all;
}

static void
keep_own (SpConfigCheck *check, SpConfigInstance *instance, const SpConfigSection *section,
          GHashTable *values)
{
  const SpOptionValue *where = g_hash_table_lookup (values, "where");
  const SpOptionValue *critical = g_hash_table_lookup (values, "critical");
  const SpOptionValue *run_as = g_hash_table_lookup (values, "run-as");
  g_autoptr (GError) error = NULL;

  instance->on_host = where != NULL && strcmp (where->text, "host") == 0;
  instance->critical = critical == NULL || critical->number != 0;
  if (run_as == NULL)
    return;
  instance->run_as = g_string_chunk_insert_const (check->config->strings, run_as->text);
  if (!sp_user_exists (run_as->text, &error))
    sp_config_complain (check->report, sp_config_section_line (section, "run-as"), "run-as: %s",
                        error->message);
  if (!instance->on_host)
    sp_config_complain (check->report, sp_config_section_line (section, "run-as"),
                        "run-as: only a plugin with 'where = host' runs as a user of this machine");
}

void
sp_config_take_instance (SpConfigCheck *check, const SpConfigSection *section)
{
  const char *plugin = sp_config_section_value (section, "plugin");
  guint line = sp_config_section_line (section, "plugin");
  const SpOption *options = NULL;
  gsize n_options = 0, n_own;
  const SpOption *own = sp_config_instance_table (section->kind, &n_own);
  g_autofree SpOption *all = NULL;
  g_autoptr (GHashTable) values = NULL;
  SpConfigInstance *instance;
  gboolean described = FALSE;

  if (plugin == NULL)
    plugin = section->name;
  instance = add_instance (check, section->kind, section->name, plugin);
  if (*plugin == '\0')
    sp_config_complain (check->report, line, "plugin: there is no name");
  else
    described = describe (check, section, instance, line, &options, &n_options);
  all = join_tables (options, n_options, own, n_own);
  values = sp_config_take_values (check, section, all, n_options + n_own, !described);
  keep_own (check, instance, section, values);
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
