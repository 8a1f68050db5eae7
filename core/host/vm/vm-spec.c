/* vm-spec.c - vm-spec.h: options to values, and what one demands of another */
#include "host/vm/vm-spec.h"

#include <string.h>

#include "base/option.h"
#include "base/problem.h"

static const struct {
  const char *word;
  guint32 network;
} networks[] = {
  { "user", SP_VM_NETWORK_USER },
  { "bridge", SP_VM_NETWORK_BRIDGE },
  { "tap", SP_VM_NETWORK_TAP },
  { "named", SP_VM_NETWORK_NAMED },
};

void
sp_vm_settings_free (SpVmSettings *settings)
{
  if (settings == NULL)
    return;
  g_free (settings->bridge);
  g_free (settings->address);
  g_free (settings->gateway);
  g_free (settings->dns);
  g_free (settings);
}

/* ---- values ------------------------------------------------------------------------------------------- */

static guint64
number (GHashTable *values, const char *key)
{
  const SpOptionValue *value = g_hash_table_lookup (values, key);

  return value != NULL && value->number > 0 ? (guint64) value->number : 0;
}

/* An empty value is as good as none. */
static char *
text (GHashTable *values, const char *key)
{
  const SpOptionValue *value = g_hash_table_lookup (values, key);

  return value != NULL && *value->text != '\0' ? g_strdup (value->text) : NULL;
}

static guint32
network_of (GHashTable *values)
{
  const SpOptionValue *value = g_hash_table_lookup (values, "network");

  for (gsize i = 0; value != NULL && i < G_N_ELEMENTS (networks); i++)
    if (strcmp (networks[i].word, value->text) == 0)
      return networks[i].network;
  return SP_VM_NETWORK_USER;
}

static SpVmSettings *
read_values (GHashTable *values)
{
  SpVmSettings *settings = g_new0 (SpVmSettings, 1);

  settings->memory = number (values, "memory");
  settings->cpus = (guint32) MIN (number (values, "cpus"), G_MAXUINT32);
  settings->disk_size = number (values, "disk-size");
  settings->network = network_of (values);
  settings->bridge = text (values, "bridge");
  settings->address = text (values, "address");
  settings->gateway = text (values, "gateway");
  settings->dns = text (values, "dns");
  return settings;
}

/* ---- what one demands of another ------------------------------------------------------------------------ */

static gboolean
need (const char *value, const char *key, const char *example, GError **error)
{
  if (value != NULL)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
               "it does not set '%s', which its network needs: add a line such as %s = %s", key,
               key, example);
  return FALSE;
}

/* The appliance speaks IPv4 only. */
static GInetAddress *
parse_address (const char *text)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (text);

  if (address != NULL && g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV4)
    return g_steal_pointer (&address);
  return NULL;
}

static gboolean
check_numeric (const char *value, const char *key, GError **error)
{
  g_autoptr (GInetAddress) address = value != NULL ? parse_address (value) : NULL;

  if (value == NULL || address != NULL)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "%s: '%s' is no numeric address of IPv4", key,
               value);
  return FALSE;
}

/* "10.0.0.5/24": GInetAddressMask wants the address of the network instead. */
static gboolean
check_address (const char *value, GError **error)
{
  const char *slash = strchr (value, '/');
  g_autofree char *bare = slash != NULL ? g_strndup (value, (gsize) (slash - value)) : NULL;
  g_autoptr (GInetAddress) address = bare != NULL ? parse_address (bare) : NULL;
  guint64 bits;

  if (address != NULL &&
      g_ascii_string_to_unsigned (slash + 1, 10, 1, 8 * g_inet_address_get_native_size (address),
                                  &bits, NULL))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
               "address: '%s' is no numeric address of IPv4 with the bits of its network, such as "
               "10.0.0.5/24",
               value);
  return FALSE;
}

static gboolean
check (SpVmSettings *settings, GError **error)
{
  if (settings->network == SP_VM_NETWORK_USER) {
    /* The plugin gives the addresses there. */
    g_clear_pointer (&settings->bridge, g_free);
    g_clear_pointer (&settings->address, g_free);
    g_clear_pointer (&settings->gateway, g_free);
  } else if (!need (settings->bridge, "bridge", "br0", error) ||
             !need (settings->address, "address", "10.0.0.5/24", error) ||
             !check_address (settings->address, error)) {
    return FALSE;
  }
  return check_numeric (settings->gateway, "gateway", error) &&
         check_numeric (settings->dns, "dns", error);
}

/* ---- the whole --------------------------------------------------------------------------------------------- */

SpVmSettings *
sp_vm_settings_new (const SpConfigInstance *instance, SpPluginCatalog *catalog, GError **error)
{
  const SpPluginInfo *info =
      sp_plugin_catalog_get (catalog, instance->kind, instance->plugin, error);
  g_autoptr (GHashTable) values = NULL;
  g_autoptr (SpVmSettings) settings = NULL;

  if (info == NULL)
    return NULL;
  values = sp_options_resolve (info->options, info->n_options, instance->options, error);
  settings = values != NULL ? read_values (values) : NULL;
  if (settings != NULL && check (settings, error))
    return g_steal_pointer (&settings);
  g_prefix_error (error, "[%s %s]: ", instance->kind, instance->name);
  return NULL;
}

void
sp_vm_settings_apply (const SpVmSettings *settings, SpVmSpec *spec)
{
  spec->memory = settings->memory;
  spec->cpus = settings->cpus;
  spec->network = settings->network;
  spec->bridge = settings->bridge;
}
