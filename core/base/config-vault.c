/* config-vault.c - the sections [vault NAME] and [source NAME], by their tables */
#include "base/config-private.h"

#include <string.h>

#include "base/option.h"

/* Beside the vaults' folders, which are called as they are. */
#define IMAGES "images"

/* clang-format off: a row an option */
static const SpOption vault_options[] = {
  { .key = "vm",
    .type = SP_OPTION_STRING,
    .help = "the vm plugin that runs the vault, or the name of a [vm] section" },
  { .key = "store",
    .type = SP_OPTION_STRING,
    .fallback = "sqlite",
    .help = "the store plugin that keeps the sealed bytes, or the name of a [store] section" },
  { .key = "notify",
    .type = SP_OPTION_STRING,
    .flags = SP_OPTION_LIST,
    .help = "the notify plugins, or names of [notify] sections; without one the admin approves" },
  { .key = "quorum",
    .type = SP_OPTION_INT,
    .fallback = "1",
    .min = 1,
    .max = 100,
    .help = "how many distinct approvers must agree" },
  { .key = "listen",
    .type = SP_OPTION_STRING,
    .fallback = "127.0.0.1:3737",
    .help = "the address and port where agents reach the vault" },
  { .key = "tls",
    .type = SP_OPTION_CHOICE,
    .choices = "required|optional",
    .fallback = "required",
    .help = "whether agents must use TLS" },
  { .key = "trust",
    .type = SP_OPTION_CHOICE,
    .choices = "exact|rebuilt|audited",
    .fallback = "exact",
    .help = "how a takeover comes to trust what boots" },
  { .key = "image",
    .type = SP_OPTION_STRING,
    .help = "the image that a new vault is made of: an id, or the name of a cloud image's base; "
            "not given: for trust = exact what "
            "the agent names, else the newest of its kind" },
  { .key = "allow-emulation",
    .type = SP_OPTION_BOOL,
    .fallback = "no",
    .help = "accept a machine without hardware virtualisation, which isolates nothing" },
  { .key = "agent-rate",
    .type = SP_OPTION_INT,
    .fallback = "100",
    .min = 1,
    .max = 1000000,
    .help = "how many calls a second one agent may make; twice that in one go" },
  { .key = "agent-pending",
    .type = SP_OPTION_INT,
    .fallback = "32",
    .min = 1,
    .max = 512,
    .help = "how many undecided requests one agent may have" },
  { .key = "master-key",
    .type = SP_OPTION_STRING,
    .help = "where the host keeps the master key: file:PATH, systemd-creds:PATH or exec:COMMAND" },
};

static const SpOption source_options[] = {
  { .key = "exec",
    .type = SP_OPTION_STRING,
    .fallback = "",
    .help = "the command that runs a program in the agent VM; empty: this machine" },
  { .key = "staging", .type = SP_OPTION_PATH, .help = "the staging folder in the agent VM" },
  { .key = "disk",
    .type = SP_OPTION_PATH,
    .help = "the disk, where it is not disk.qcow2 in the staging folder" },
  { .key = "monitor",
    .type = SP_OPTION_PATH,
    .help = "the monitor socket, where it is not monitor.sock in the staging folder" },
  { .key = "ready",
    .type = SP_OPTION_PATH,
    .help = "the ready file, where it is not READY_FOR_TAKEOVER in the staging folder" },
  { .key = "accept",
    .type = SP_OPTION_STRING,
    .help = "with trust = audited: digests of findings that are accepted, with commas between" },
};
/* clang-format on */

const SpOption *
sp_config_table (const char *section, gsize *ret_n_options)
{
  gboolean is_vault = strcmp (section, "vault") == 0;

  *ret_n_options = is_vault ? G_N_ELEMENTS (vault_options) : G_N_ELEMENTS (source_options);
  return is_vault ? vault_options : source_options;
}

/* The text of a value, kept by the config; NULL where it is not set or wrong. */
static const char *
text_of (SpConfigCheck *check, GHashTable *values, const char *key)
{
  const SpOptionValue *value = g_hash_table_lookup (values, key);

  return value != NULL ? g_string_chunk_insert_const (check->config->strings, value->text) : NULL;
}

static gint64
number_of (GHashTable *values, const char *key)
{
  const SpOptionValue *value = g_hash_table_lookup (values, key);

  return value != NULL ? value->number : 0;
}

/* ---- vaults ----------------------------------------------------------------------------------------- */

static const SpConfigInstance *
take_reference (SpConfigCheck *check, const SpConfigSection *section, GHashTable *values,
                const char *key)
{
  const SpOptionValue *value = g_hash_table_lookup (values, key);

  if (value == NULL)
    return NULL;
  return sp_config_need_instance (check, key, value->text, sp_config_section_line (section, key));
}

static void
take_notifiers (SpConfigCheck *check, const SpConfigSection *section, GHashTable *values,
                SpConfigVault *vault)
{
  const SpOptionValue *value = g_hash_table_lookup (values, "notify");
  guint line = sp_config_section_line (section, "notify");
  gsize n = value != NULL ? g_strv_length (value->list) : 0;
  const SpConfigInstance **notifiers = g_new0 (const SpConfigInstance *, n + 1);

  for (gsize i = 0; i < n; i++) {
    const char *name = value->list[i];
    const SpConfigInstance *instance = sp_config_need_instance (check, "notify", name, line);

    for (guint k = 0; k < vault->n_notifiers; k++)
      if (instance == notifiers[k]) {
        sp_config_complain (check->report, line, "notify: '%s' stands there twice", name);
        instance = NULL;
      }
    if (instance != NULL)
      notifiers[vault->n_notifiers++] = instance;
  }
  vault->notifiers = notifiers;
}

static void
take_listen (SpConfigCheck *check, const SpConfigSection *section, SpConfigVault *vault)
{
  g_autofree char *host = NULL;
  g_autoptr (GError) error = NULL;

  if (vault->listen == NULL)
    return;
  if (sp_config_parse_listen (vault->listen, &host, &vault->listen_port, &error))
    vault->listen_host = g_string_chunk_insert_const (check->config->strings, host);
  else
    sp_config_complain (check->report, sp_config_section_line (section, "listen"), "listen: %s",
                        error->message);
}

static void
take_master_key (SpConfigCheck *check, const SpConfigSection *section, SpConfigVault *vault)
{
  g_autoptr (GError) error = NULL;

  if (vault->master_key != NULL && !sp_config_check_master_key (vault->master_key, &error))
    sp_config_complain (check->report, sp_config_section_line (section, "master-key"),
                        "master-key: %s", error->message);
}

void
sp_config_take_vault (SpConfigCheck *check, const SpConfigSection *section)
{
  g_autoptr (GHashTable) values =
      sp_config_take_values (check, section, vault_options, G_N_ELEMENTS (vault_options), FALSE);
  SpConfigVault *vault = g_new0 (SpConfigVault, 1);

  if (g_str_equal (section->name, IMAGES))
    sp_config_complain (check->report, section->line,
                        "[vault " IMAGES
                        "]: this is the folder of the images: choose another name");
  g_ptr_array_add (check->config->vaults, vault);
  vault->name = g_string_chunk_insert_const (check->config->strings, section->name);
  vault->vm = take_reference (check, section, values, "vm");
  vault->store = take_reference (check, section, values, "store");
  take_notifiers (check, section, values, vault);
  vault->quorum = (guint) number_of (values, "quorum");
  vault->agent_rate = (guint) number_of (values, "agent-rate");
  vault->agent_pending = (guint) number_of (values, "agent-pending");
  vault->listen = text_of (check, values, "listen");
  take_listen (check, section, vault);
  vault->tls_required = g_strcmp0 (text_of (check, values, "tls"), "optional") != 0;
  vault->tls_given = sp_config_section_value (section, "tls") != NULL;
  vault->trust = text_of (check, values, "trust");
  vault->image = text_of (check, values, "image");
  vault->allow_emulation = number_of (values, "allow-emulation") != 0;
  vault->master_key = text_of (check, values, "master-key");
  take_master_key (check, section, vault);
}

/* ---- sources ---------------------------------------------------------------------------------------- */

void
sp_config_take_source (SpConfigCheck *check, const SpConfigSection *section)
{
  g_autoptr (GHashTable) values =
      sp_config_take_values (check, section, source_options, G_N_ELEMENTS (source_options), FALSE);
  SpConfigSource *source = g_new0 (SpConfigSource, 1);

  g_ptr_array_add (check->config->sources, source);
  source->name = g_string_chunk_insert_const (check->config->strings, section->name);
  source->exec = text_of (check, values, "exec");
  source->staging = text_of (check, values, "staging");
  source->disk = text_of (check, values, "disk");
  source->monitor = text_of (check, values, "monitor");
  source->ready = text_of (check, values, "ready");
  source->accept = text_of (check, values, "accept");
  if (sp_config_section_value (section, "staging") == NULL &&
      (source->disk == NULL || source->monitor == NULL || source->ready == NULL))
    sp_config_complain (
        check->report, section->line, "[source %s] does not set 'staging': %s", section->name,
        sp_options_find (source_options, G_N_ELEMENTS (source_options), "staging")->help);
}
