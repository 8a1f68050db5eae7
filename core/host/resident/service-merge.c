/* service-merge.c - a changed config against what runs: what can be taken over now, and what has to wait
 *
 * The vault as it will be is the new one, with what needs a restart as it is.  A notifier whose plugin or
 * files the machine does not have is kept as it is as a whole, or left out where it is new: half of it
 * would be neither.
 *
 * What must stay true: nothing that can't be changed now is passed over in silence.
 */
#include <string.h>

#include "base/problem.h"
#include "host/resident/service-private.h"

/* ---- a vault of our own --------------------------------------------------------------------------------- */

SpConfigVault *
sp_config_vault_copy (const SpConfigVault *vault)
{
  SpConfigVault *copy = g_memdup2 (vault, sizeof *vault);
  const SpConfigInstance **notifiers = g_new0 (const SpConfigInstance *, vault->n_notifiers + 1);

  for (guint i = 0; i < vault->n_notifiers; i++)
    notifiers[i] = vault->notifiers[i];
  copy->notifiers = notifiers;
  /* They outlive the config; there are few of them, as they change at a restart only. */
  copy->name = g_intern_string (vault->name);
  copy->listen = g_intern_string (vault->listen);
  copy->listen_host = g_intern_string (vault->listen_host);
  copy->trust = g_intern_string (vault->trust);
  copy->master_key = g_intern_string (vault->master_key);
  return copy;
}

void
sp_config_vault_free (SpConfigVault *vault)
{
  if (vault == NULL)
    return;
  g_free ((gpointer) vault->notifiers);
  g_free (vault);
}

/* ---- what has to wait ----------------------------------------------------------------------------------- */

static void
wait_for (GPtrArray *restart, const char *kind, const char *name, const char *key)
{
  g_ptr_array_add (restart, g_strdup_printf ("%s %s: %s", kind, name, key));
}

static void
compare_texts (GPtrArray *restart, const SpConfigInstance *next, GVariant *before, GVariant *after,
               gboolean both)
{
  GVariantIter iter;
  const char *key, *value;

  g_variant_iter_init (&iter, after);
  while (g_variant_iter_next (&iter, "{&s&s}", &key, &value)) {
    const char *old = NULL;

    if (!g_variant_lookup (before, key, "&s", &old) || (both && strcmp (old, value) != 0))
      wait_for (restart, next->kind, next->name, key);
  }
}

/* Of a plugin that is opened at a start only. */
static void
compare_instance (GPtrArray *restart, const SpConfigVault *vault, const char *kind,
                  const SpConfigInstance *now, const SpConfigInstance *next)
{
  if (now == NULL || next == NULL || strcmp (now->name, next->name) != 0) {
    if (now != next)
      wait_for (restart, "vault", vault->name, kind);
    return;
  }
  if (strcmp (now->plugin, next->plugin) != 0)
    wait_for (restart, kind, next->name, "plugin");
  compare_texts (restart, next, now->options, next->options, TRUE);
  compare_texts (restart, next, next->options, now->options, FALSE);
  compare_texts (restart, next, now->secrets, next->secrets, TRUE);
  compare_texts (restart, next, next->secrets, now->secrets, FALSE);
}

static void
compare_vault (const SpService *service, const SpConfigVault *next, GPtrArray *restart)
{
  const SpConfigVault *now = service->vault;
  gboolean tls_required = next->tls_required && (next->tls_given || !service->tls_optional);
  const struct {
    const char *key;
    gboolean differs;
  } keys[] = {
    { "listen", g_strcmp0 (now->listen, next->listen) != 0 },
    { "tls", service->tls_required != tls_required },
    { "trust", g_strcmp0 (now->trust, next->trust) != 0 },
    { "allow-emulation", now->allow_emulation != next->allow_emulation },
    { "master-key", g_strcmp0 (now->master_key, next->master_key) != 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (keys[i].differs)
      wait_for (restart, "vault", now->name, keys[i].key);
  compare_instance (restart, now, "vm", now->vm, next->vm);
  if (now->store != &service->own_store)
    compare_instance (restart, now, "store", now->store, next->store);
}

/* ---- notifiers -------------------------------------------------------------------------------------------- */

static const SpConfigInstance *
running_notifier (const SpConfigVault *vault, const char *name)
{
  for (guint i = 0; i < vault->n_notifiers; i++)
    if (strcmp (vault->notifiers[i]->name, name) == 0)
      return vault->notifiers[i];
  return NULL;
}

/* @instance, what runs instead of it for now, or NULL: nothing. */
static const SpConfigInstance *
choose (const SpService *service, const SpConfigInstance *instance, SpPluginCatalog *catalog,
        GPtrArray *restart)
{
  g_autofree char *key = NULL;

  /* What can't be opened at all, or is opened on the host, needs nothing of the machine. */
  if (service->backend.fits == NULL || instance->on_host || instance->trouble != NULL ||
      service->backend.fits (instance, catalog, &key, service->data))
    return instance;
  wait_for (restart, "notify", instance->name, key);
  return running_notifier (service->vault, instance->name);
}

static void
choose_notifiers (const SpService *service, SpConfigVault *vault, SpPluginCatalog *catalog,
                  GPtrArray *restart)
{
  const SpConfigInstance **notifiers = (const SpConfigInstance **) vault->notifiers;
  guint n = 0;

  for (guint i = 0; i < vault->n_notifiers; i++) {
    const SpConfigInstance *chosen = choose (service, notifiers[i], catalog, restart);

    if (chosen != NULL)
      notifiers[n++] = chosen;
  }
  notifiers[n] = NULL;
  vault->n_notifiers = n;
}

static gboolean
has_any_id (const SpConfigApprover *approver, const SpConfigVault *vault)
{
  const char *id;

  for (guint i = 0; i < vault->n_notifiers; i++)
    if (g_variant_lookup (approver->ids, vault->notifiers[i]->name, "&s", &id))
      return TRUE;
  return FALSE;
}

/* The config as a whole has enough people; what is left of it until a restart must have them, too. */
static gboolean
check_people (const SpConfig *config, const SpConfigVault *vault, guint n_wanted, GError **error)
{
  guint n = 0;

  if (n_wanted == 0)
    return TRUE;
  for (const SpConfigApprover *const *it = sp_config_approvers (config); *it != NULL; it++)
    n += has_any_id (*it, vault);
  if (n >= vault->quorum)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
               "%u approvers must agree, but without the notifiers that need a restart only %u "
               "can: restart the vault instead",
               vault->quorum, n);
  return FALSE;
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

static void
keep_what_runs (SpConfigVault *vault, const SpConfigVault *now)
{
  vault->vm = now->vm;
  vault->store = now->store;
  vault->listen = now->listen;
  vault->listen_host = now->listen_host;
  vault->listen_port = now->listen_port;
  vault->tls_required = now->tls_required;
  vault->tls_given = now->tls_given;
  vault->trust = now->trust;
  vault->allow_emulation = now->allow_emulation;
  vault->master_key = now->master_key;
}

SpConfigVault *
sp_service_merge (const SpService *service, const SpConfig *config, SpPluginCatalog *catalog,
                  GPtrArray *restart, GError **error)
{
  const SpConfigVault *next = sp_config_vault (config, service->vault->name, error);
  SpConfigVault *vault;

  if (next == NULL)
    return NULL;
  compare_vault (service, next, restart);
  vault = sp_config_vault_copy (next);
  keep_what_runs (vault, service->vault);
  choose_notifiers (service, vault, catalog, restart);
  if (check_people (config, vault, next->n_notifiers, error))
    return vault;
  sp_config_vault_free (vault);
  return NULL;
}
