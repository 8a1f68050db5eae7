/* compare.c - what new settings would change, as short texts: names and keys, never values */
#include "vault/vault-private.h"

static const SpApprover *
find (const SpVaultSettings *settings, const char *name)
{
  for (guint i = 0; i < settings->approvers->len; i++) {
    const SpApprover *approver = g_ptr_array_index (settings->approvers, i);

    if (g_str_equal (approver->name, name))
      return approver;
  }
  return NULL;
}

static int
by_text (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(const char *const *) a, *(const char *const *) b);
}

/* The notifiers where @one has an id that @other has not. */
static void
add_differences (GPtrArray *keys, const SpApprover *one, const SpApprover *other)
{
  GHashTableIter iter;
  gpointer notifier, id;

  g_hash_table_iter_init (&iter, one->ids);
  while (g_hash_table_iter_next (&iter, &notifier, &id))
    if (g_strcmp0 (g_hash_table_lookup (other->ids, notifier), id) != 0 &&
        !g_ptr_array_find_with_equal_func (keys, notifier, g_str_equal, NULL))
      g_ptr_array_add (keys, notifier);
}

static void
compare_approver (const SpApprover *before, const SpApprover *after, GPtrArray *changes)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new ();
  g_autofree char *text = NULL;

  add_differences (keys, before, after);
  add_differences (keys, after, before);
  if (keys->len == 0)
    return;
  g_ptr_array_sort (keys, by_text);
  g_ptr_array_add (keys, NULL);
  text = g_strjoinv (", ", (char **) keys->pdata);
  g_ptr_array_add (changes, g_strdup_printf ("approver %s: %s", after->name, text));
}

static void
compare_approvers (const SpVaultSettings *before, const SpVaultSettings *after, GPtrArray *changes)
{
  for (guint i = 0; i < after->approvers->len; i++) {
    const SpApprover *approver = g_ptr_array_index (after->approvers, i);
    const SpApprover *old = find (before, approver->name);

    if (old == NULL)
      g_ptr_array_add (changes, g_strdup_printf ("approver %s added", approver->name));
    else
      compare_approver (old, approver, changes);
  }
  for (guint i = 0; i < before->approvers->len; i++) {
    const SpApprover *approver = g_ptr_array_index (before->approvers, i);

    if (find (after, approver->name) == NULL)
      g_ptr_array_add (changes, g_strdup_printf ("approver %s removed", approver->name));
  }
}

void
sp_vault_compare (const SpVault *vault, const SpVaultSettings *settings, GPtrArray *changes)
{
  const SpVaultSettings *now = vault->settings;
  const struct {
    const char *key;
    guint before, after;
  } limits[] = {
    { "quorum", now->quorum, settings->quorum },
    { "agent-rate", now->agent_rate, settings->agent_rate },
    { "agent-pending", now->agent_pending, settings->agent_pending },
  };

  compare_approvers (now, settings, changes);
  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    if (limits[i].before != limits[i].after)
      g_ptr_array_add (changes, g_strdup (limits[i].key));
}
