/* config-people.c - the sections [approver NAME], and who can decide for which vault
 *
 * What must stay true: a quorum means so many different people.  So an id belongs to one approver
 * only, and a quorum that the listed people can't reach is refused.
 */
#include "base/config-private.h"

#include <string.h>

#include "base/option.h"

static void
complain_notifier (SpConfigCheck *check, const SpConfigEntry *entry)
{
  const GPtrArray *instances = check->config->instances;
  g_autofree const char **names = g_new0 (const char *, instances->len + 1);
  g_autofree char *hint = NULL;
  gsize n = 0;

  for (guint i = 0; i < instances->len; i++) {
    const SpConfigInstance *instance = g_ptr_array_index (instances, i);

    if (strcmp (instance->kind, "notify") == 0)
      names[n++] = instance->name;
  }
  hint = sp_did_you_mean (entry->key, names);
  sp_config_complain (check->report, entry->line, "there is no notifier '%s'%s", entry->key, hint);
}

/* The approver who has @id at @notifier already, or NULL. */
static const SpConfigApprover *
find_holder (const SpConfig *config, const char *notifier, const char *id)
{
  for (guint i = 0; i < config->approvers->len; i++) {
    const SpConfigApprover *approver = g_ptr_array_index (config->approvers, i);
    const char *other;

    if (g_variant_lookup (approver->ids, notifier, "&s", &other) && strcmp (other, id) == 0)
      return approver;
  }
  return NULL;
}

static gboolean
check_id (SpConfigCheck *check, const SpConfigEntry *entry)
{
  const SpConfigApprover *holder;
  g_autoptr (GError) error = NULL;

  if (sp_config_find_instance (check->config, "notify", entry->key) == NULL) {
    complain_notifier (check, entry);
    return FALSE;
  }
  if (entry->value == NULL)
    return FALSE;
  if (!sp_config_check_person (entry->value, &error)) {
    sp_config_complain (check->report, entry->line, "%s: %s", entry->key, error->message);
    return FALSE;
  }
  holder = find_holder (check->config, entry->key, entry->value);
  if (holder != NULL)
    sp_config_complain (check->report, entry->line,
                        "%s: this id is approver '%s' already: two approvers must be two people",
                        entry->key, holder->name);
  return holder == NULL;
}

void
sp_config_take_approver (SpConfigCheck *check, const SpConfigSection *section)
{
  SpConfigApprover *approver = g_new0 (SpConfigApprover, 1);
  GVariantBuilder ids;

  g_variant_builder_init (&ids, G_VARIANT_TYPE ("a{ss}"));
  for (guint i = 0; i < section->entries->len; i++) {
    const SpConfigEntry *entry = g_ptr_array_index (section->entries, i);

    if (check_id (check, entry))
      g_variant_builder_add (&ids, "{ss}", entry->key, entry->value);
  }
  approver->name = g_string_chunk_insert_const (check->config->strings, section->name);
  approver->ids = g_variant_ref_sink (g_variant_builder_end (&ids));
  g_ptr_array_add (check->config->approvers, approver);
  if (section->entries->len == 0)
    sp_config_warn (check->report, section->line,
                    "approver '%s' can't decide anything: add NOTIFIER = ID", section->name);
}

/* ---- what can only be said of all ------------------------------------------------------------------- */

static gboolean
has_id (const SpConfigApprover *approver, const SpConfigInstance *notifier)
{
  const char *id;

  return g_variant_lookup (approver->ids, notifier->name, "&s", &id);
}

static guint
count_people (const SpConfig *config, const SpConfigInstance *const *notifiers, guint n_notifiers)
{
  guint n = 0;

  for (guint i = 0; i < config->approvers->len; i++)
    for (guint k = 0; k < n_notifiers; k++)
      if (has_id (g_ptr_array_index (config->approvers, i), notifiers[k])) {
        n++;
        break;
      }
  return n;
}

static const SpConfigSection *
section_of_vault (const SpConfigCheck *check, const SpConfigVault *vault)
{
  for (guint i = 0; i < check->sections->len; i++) {
    const SpConfigSection *section = g_ptr_array_index (check->sections, i);

    if (strcmp (section->kind, "vault") == 0 && strcmp (section->name, vault->name) == 0)
      return section;
  }
  return NULL;
}

static void
check_quorum (SpConfigCheck *check, const SpConfigVault *vault, guint line)
{
  guint n = count_people (check->config, vault->notifiers, vault->n_notifiers);

  /* The admin alone approves where there is no notifier. */
  if (vault->n_notifiers == 0)
    n = 1;
  if (n > 0 && vault->quorum > n)
    sp_config_complain (check->report, line,
                        "quorum: %u approvers must agree, but only %u can: lower it, or add "
                        "[approver] sections",
                        vault->quorum, n);
}

static void
check_vault (SpConfigCheck *check, const SpConfigVault *vault)
{
  const SpConfigSection *section = section_of_vault (check, vault);
  guint line = sp_config_section_line (section, "notify");

  for (guint i = 0; i < vault->n_notifiers; i++)
    if (count_people (check->config, &vault->notifiers[i], 1) == 0)
      sp_config_complain (check->report, line,
                          "notify: no approver has an id at '%s', so nobody could approve: add "
                          "'%s = ID' to an [approver] section",
                          vault->notifiers[i]->name, vault->notifiers[i]->name);
  check_quorum (check, vault, sp_config_section_line (section, "quorum"));
}

void
sp_config_check_people (SpConfigCheck *check)
{
  for (guint i = 0; i < check->config->vaults->len; i++)
    check_vault (check, g_ptr_array_index (check->config->vaults, i));
}
