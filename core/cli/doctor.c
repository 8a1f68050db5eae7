/* doctor.c - `secret-proxy doctor`: is this machine fit, and what is set up on it
 *
 * Each check looks at one thing and says what it found and what to do.  A thing that is not there is no
 * failure where it need not be: a vault, an agent.json, a config file.
 */
#include <gio/gio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/config.h"
#include "base/state.h"
#include "cli/admin.h"
#include "host/agent-file.h"
#include "cli/output.h"
#include "host/appliance/image-set.h"
#include "host/vm/vm.h"
#include "plugin/info.h"

typedef enum { OK, WARN, FAILED } Status;

static const char *const status_words[] = { "ok", "warn", "failed" };

typedef struct {
  const SpCli *cli;
  JsonArray *items;
  Status worst;
} Doctor;

static void note (Doctor *doctor, const char *check, Status status, const char *format, ...)
    G_GNUC_PRINTF (4, 5);

static void
note (Doctor *doctor, const char *check, Status status, const char *format, ...)
{
  g_autofree char *message = NULL;
  JsonObject *object = json_object_new ();
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  json_object_set_string_member (object, "check", check);
  json_object_set_string_member (object, "status", status_words[status]);
  json_object_set_string_member (object, "message", message);
  json_array_add_object_element (doctor->items, object);
  doctor->worst = MAX (doctor->worst, status);
}

/* ---- the checks ------------------------------------------------------------------------------------------ */

static void
check_config (Doctor *doctor)
{
  const char *given = sp_cli_get (doctor->cli, "config");
  const char *path = given ? given : SP_CONFIG_PATH;
  g_autoptr (SpPluginCatalog) catalog =
      sp_plugin_catalog_new (sp_cli_get (doctor->cli, "plugin-dir"));
  g_autoptr (GError) error = NULL;
  g_autoptr (SpConfig) config = NULL;

  if (given == NULL && access (path, F_OK) != 0) {
    note (doctor, "config", OK, "there is no %s, which is fine for 'local' and for agents", path);
    return;
  }
  config = sp_config_read (path, sp_plugin_catalog_describe, catalog, &error);
  if (config == NULL)
    note (doctor, "config", FAILED, "%s", error->message);
  else if (*sp_config_warnings (config) != NULL)
    note (doctor, "config", WARN, "%s", *sp_config_warnings (config));
  else
    note (doctor, "config", OK, "%s is good", path);
}

static void
check_plugins (Doctor *doctor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) entries = sp_plugin_list (sp_cli_get (doctor->cli, "plugin-dir"), &error);

  if (entries == NULL) {
    note (doctor, "plugins", FAILED, "%s", error->message);
    return;
  }
  if (entries->len == 0)
    note (doctor, "plugins", WARN, "there is no plugin: a vault needs at least a store");
  for (guint i = 0; i < entries->len; i++) {
    const SpPluginEntry *entry = g_ptr_array_index (entries, i);
    g_autofree char *name = g_path_get_basename (entry->path);
    g_autofree char *check = g_strconcat ("plugin ", name, NULL);

    if (entry->info != NULL)
      note (doctor, check, OK, "%s", entry->info->summary);
    else
      note (doctor, check, FAILED, "%s", entry->error->message);
  }
}

/* What a vm plugin finds out by running a guest, not by opening a device. */
static void
probe_machines (Doctor *doctor, const SpConfigVault *vault, const char *folder, const char *check)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpVm) vm =
      sp_vm_open (vault->vm, sp_cli_get (doctor->cli, "plugin-dir"), folder, &error);
  SpVmProbe probe = { .size = sizeof probe };

  if (vm == NULL || !sp_vm_probe (vm, &probe, &error)) {
    note (doctor, check, FAILED, "%s", error->message);
    return;
  }
  note (doctor, check,
        probe.acceleration == SP_VM_KVM ? OK
        : vault->allow_emulation        ? WARN
                                        : FAILED,
        "%s; %s", probe.version, probe.why);
  sp_vm_probe_clear (&probe);
}

/* In a folder of its own, as plugins want one; it is empty afterwards. */
static void
check_machine_of (Doctor *doctor, const SpConfigVault *vault)
{
  g_autofree char *check = g_strconcat ("machine of ", vault->name, NULL);
  g_autofree char *folder = g_dir_make_tmp ("secret-proxy-XXXXXX", NULL);
  g_autofree char *own = NULL;

  if (folder == NULL) {
    note (doctor, check, FAILED, "no folder can be made for trying");
    return;
  }
  probe_machines (doctor, vault, folder, check);
  own = g_strdup_printf ("%s/vm-%s", folder, vault->vm->name);
  (void) rmdir (own);
  (void) rmdir (folder);
}

static void
check_image (Doctor *doctor)
{
  g_autofree char *state = sp_state_dir ();
  g_autoptr (GError) error = NULL;
  g_autoptr (SpImageSet) image = sp_image_set_find (state, NULL, &error);

  if (image != NULL)
    note (doctor, "image", OK, "the newest image is %.12s…, version %s", image->id, image->version);
  else
    note (doctor, "image", WARN, "%s", error->message);
}

/* Only where the config file wants machines. */
static void
check_machines (Doctor *doctor)
{
  g_autoptr (SpPluginCatalog) catalog =
      sp_plugin_catalog_new (sp_cli_get (doctor->cli, "plugin-dir"));
  g_autoptr (SpConfig) config = sp_config_read (sp_cli_get (doctor->cli, "config"),
                                                sp_plugin_catalog_describe, catalog, NULL);
  const SpConfigVault *const *vault = config ? sp_config_vaults (config) : NULL;
  gboolean wanted = FALSE;

  for (; vault != NULL && *vault != NULL; vault++) {
    if ((*vault)->vm == NULL)
      continue;
    wanted = TRUE;
    check_machine_of (doctor, *vault);
  }
  if (wanted)
    check_image (doctor);
}

static void
check_tls (Doctor *doctor)
{
  if (g_tls_backend_supports_tls (g_tls_backend_get_default ()))
    note (doctor, "tls", OK, "GLib has a TLS backend");
  else
    note (doctor, "tls", FAILED, "GLib has no TLS backend: install glib-networking");
}

static void
check_locked_memory (Doctor *doctor)
{
  struct rlimit limit = { 0, 0 };

  (void) getrlimit (RLIMIT_MEMLOCK, &limit);
  if (geteuid () == 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= 1024 * 1024)
    note (doctor, "locked-memory", OK, "secrets can be kept from being swapped");
  else
    note (doctor, "locked-memory", WARN,
          "only %lu KiB of memory can be locked, so secrets may be swapped: raise 'ulimit -l'",
          (gulong) limit.rlim_cur / 1024);
}

static void
check_core_dumps (Doctor *doctor)
{
  struct rlimit limit = { 0, 0 };

  (void) getrlimit (RLIMIT_CORE, &limit);
  if (limit.rlim_cur == 0)
    note (doctor, "core-dumps", OK, "core dumps are off");
  else
    note (doctor, "core-dumps", WARN,
          "core dumps are on here; this program turns them off for itself, but programs that get "
          "secrets may write them to disk: run 'ulimit -c 0'");
}

static void
check_clock (Doctor *doctor)
{
  /* Some time before the first release. */
  static const gint64 built_us = G_GINT64_CONSTANT (1735689600) * G_USEC_PER_SEC;

  if (g_get_real_time () > built_us)
    note (doctor, "clock", OK, "the clock is not in the past");
  else
    note (doctor, "clock", FAILED,
          "the clock is years in the past, so requests run out at once: set it");
}

static void
check_vault (Doctor *doctor)
{
  gboolean given = sp_cli_has (doctor->cli, "vault");
  g_autofree char *folder = sp_vault_folder (doctor->cli);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) status = NULL;

  if (!given && access (folder, F_OK) != 0) {
    note (doctor, "vault", OK, "there is no vault on this machine, or it is not yours to see");
    return;
  }
  status = sp_admin_call_once (doctor->cli, "vault.status", NULL, &error);
  if (status != NULL)
    note (doctor, "vault", OK, "the vault in %s answers", folder);
  else
    note (doctor, "vault", given ? FAILED : WARN, "%s", error->message);
}

static void
check_agent_file (Doctor *doctor)
{
  g_autofree char *path = sp_agent_file_path ();
  g_autoptr (GError) error = NULL;
  g_autoptr (SpAgentFile) file = NULL;

  if (g_getenv ("SECRET_PROXY_AGENT_FILE") == NULL && access (path, F_OK) != 0) {
    note (doctor, "agent-file", OK, "there is no %s, which only agents need", path);
    return;
  }
  file = sp_agent_file_read (NULL, &error);
  if (file != NULL)
    note (doctor, "agent-file", OK, "%s is good", path);
  else
    note (doctor, "agent-file", FAILED, "%s", error->message);
}

int
sp_cli_doctor (SpCli *cli, GError **error)
{
  static void (*const checks[]) (Doctor *) = {
    check_config,     check_plugins, check_machines, check_tls,       check_locked_memory,
    check_core_dumps, check_clock,   check_vault,    check_agent_file
  };
  static const SpColumn columns[] = { { "CHECK", "check", SP_COLUMN_TEXT },
                                      { "STATUS", "status", SP_COLUMN_TEXT },
                                      { "MESSAGE", "message", SP_COLUMN_TEXT } };
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  Doctor doctor = { cli, json_array_new (), OK };

  json_node_take_object (node, object);
  json_object_set_array_member (object, "items", doctor.items);
  json_object_set_null_member (object, "next");
  for (gsize i = 0; i < G_N_ELEMENTS (checks); i++)
    checks[i](&doctor);
  sp_print_items (cli, node, columns, G_N_ELEMENTS (columns));
  return doctor.worst == FAILED ? 1 : 0;
}
