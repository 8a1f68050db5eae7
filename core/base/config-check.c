/* config-check.c - sections against tables of options, and all sections in their order
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
                  const SpOption *options, gsize n_options)
{
  g_autofree const char **keys = g_new0 (const char *, n_options + 1);
  g_autofree char *hint = NULL;

  for (gsize i = 0; i < n_options; i++)
    keys[i] = options[i].key;
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
                       const SpOption *options, gsize n_options, gboolean lenient)
{
  g_autoptr (GHashTable) values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                                         (GDestroyNotify) sp_option_value_free);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < section->entries->len; i++) {
    const SpConfigEntry *entry = g_ptr_array_index (section->entries, i);
    const SpOption *option = sp_options_find (options, n_options, entry->key);

    g_hash_table_add (seen, entry->key);
    if (option == NULL && !lenient)
      complain_unknown (check, section, entry, options, n_options);
    else if (option != NULL && entry->value != NULL)
      take_value (check, option, entry->value, entry->line, values);
  }
  for (gsize i = 0; i < n_options; i++)
    if (!g_hash_table_contains (seen, options[i].key))
      take_absent (check, section, &options[i], values);
  return g_steal_pointer (&values);
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
