/* test-machine.c - what an owned machine boots, and how plugins get into it: host/vm/machine.h,
 * host/appliance/plugin-disk.h, host/appliance/elf-closure.h */
#include "host/vm/machine.h"
#include "host/vm/maintenance.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/problem.h"
#include "folder.h"
#include "host/appliance/elf-closure.h"
#include "host/appliance/plugin-disk.h"

#define ID "12345678-1234-4234-8234-123456789012"

static SpConfig *
config_of (SpPluginCatalog *catalog, const char *vault, const char *rest)
{
  g_autofree char *text =
      g_strdup_printf ("[vault default]\nvm = qemu\n%s\n[vm qemu]\n%s", vault, rest);
  g_autoptr (GError) error = NULL;
  SpConfig *config =
      sp_config_parse ("test", text, strlen (text), sp_plugin_catalog_describe, catalog, &error);

  g_assert_no_error (error);
  return config;
}

static SpMachine *
machine_with_id (const char *id, const char *vault_text, const char *vm_text, GError **error)
{
  g_autoptr (SpPluginCatalog) catalog = sp_plugin_catalog_new (g_getenv ("SP_TEST_PLUGINS"));
  g_autoptr (SpConfig) config = config_of (catalog, vault_text, vm_text);
  const SpConfigVault *vault = sp_config_vault (config, NULL, NULL);
  g_autoptr (SpVmSettings) settings = sp_vm_settings_new (vault->vm, catalog, NULL);
  const SpVaultRecord record = {
    .image = (char *) "i", .machine = (char *) id, .data = (char *) "d", .trust = (char *) "exact"
  };
  const SpImageSet image = { .id = (char *) "image-id",
                             .kernel = { (char *) "/k", (char *) "kk", 1 },
                             .initrd = { (char *) "/i", (char *) "ii", 1 },
                             .root = { (char *) "/r", (char *) "rr", 1 } };

  const SpMachineSetup setup = {
    .folder = "/v", .vault = vault, .settings = settings, .image = &image, .plugins_sha256 = "pp"
  };

  return sp_machine_new (&record, &setup, error);
}

static SpMachine *
machine_of (const char *vault_text, const char *vm_text, GError **error)
{
  return machine_with_id (ID, vault_text, vm_text, error);
}

/* ---- machines ------------------------------------------------------------------------------------------ */

static void
test_user_network (void)
{
  g_autoptr (SpMachine) machine = machine_of ("listen = 127.0.0.1:4000\n", "memory = 200M\n", NULL);
  const SpVmSpec *spec = sp_machine_spec (machine);

  g_assert_cmpuint (spec->role, ==, SP_VM_OWNED);
  g_assert_cmpstr (spec->id, ==, ID);
  g_assert_cmpuint (spec->memory, ==, 200u * 1024u * 1024u);
  g_assert_cmpuint (spec->n_forwards, ==, 1);
  g_assert_cmpstr (spec->forwards[0].address, ==, "127.0.0.1");
  g_assert_cmpuint (spec->forwards[0].port, ==, 4000);
  g_assert_cmpuint (spec->forwards[0].guest_port, ==, 3737);
  g_assert_cmpstr (sp_machine_url (machine), ==, "https://127.0.0.1:4000");
  g_assert_null (spec->monitor);
  g_assert_null (spec->pid_file);
  g_assert_cmpstr (spec->admin_socket, ==, "/v/channel.sock");
  g_assert_true (g_str_has_suffix (spec->cmdline, "root=/dev/vda"));
}

static void
test_disks (void)
{
  g_autoptr (SpMachine) machine = machine_of ("", "", NULL);
  const SpVmSpec *spec = sp_machine_spec (machine);

  g_assert_cmpuint (spec->n_disks, ==, 3);
  g_assert_cmpstr (spec->disks[0].path, ==, "/r");
  g_assert_true (spec->disks[0].read_only);
  g_assert_cmpstr (spec->disks[1].name, ==, "data");
  g_assert_false (spec->disks[1].read_only);
  g_assert_cmpstr (spec->disks[2].name, ==, "plugins");
  g_assert_true (spec->disks[2].read_only);
  for (gsize i = 0; i < spec->n_disks; i++)
    g_assert_cmpuint (spec->disks[i].format, ==, SP_VM_RAW);
}

/* ---- of a cloud image ------------------------------------------------------------------------------------ */

static SpMachine *
cloud_machine (const char *vault_text, const char *vm_text, SpMachineSetup setup)
{
  g_autoptr (SpPluginCatalog) catalog = sp_plugin_catalog_new (g_getenv ("SP_TEST_PLUGINS"));
  g_autoptr (SpConfig) config = config_of (catalog, vault_text, vm_text);
  g_autoptr (SpVmSettings) settings = NULL;
  const SpVaultRecord record = { .image = (char *) "image-id",
                                 .machine = (char *) ID,
                                 .trust = (char *) "rebuilt",
                                 .base = (char *) "bb",
                                 .bundle = (char *) "uu" };

  setup.folder = "/v";
  setup.vault = sp_config_vault (config, NULL, NULL);
  setup.settings = settings = sp_vm_settings_new (setup.vault->vm, catalog, NULL);
  setup.plugins_sha256 = "pp";
  return sp_machine_new (&record, &setup, NULL);
}

static void
test_a_cloud_image_boots_the_vaults_own_disk (void)
{
  g_autoptr (SpMachine) machine = cloud_machine ("", "", (SpMachineSetup){ .image = NULL });
  g_autoptr (JsonObject) measurement = sp_machine_measure (machine);
  const SpVmSpec *spec = sp_machine_spec (machine);

  g_assert_null (spec->kernel);
  g_assert_null (spec->initrd);
  g_assert_null (spec->cmdline);
  g_assert_cmpuint (spec->n_disks, ==, 3);
  g_assert_cmpstr (spec->disks[0].path, ==, "/v/system.qcow2");
  g_assert_cmpuint (spec->disks[0].format, ==, SP_VM_QCOW2);
  g_assert_false (spec->disks[0].read_only);
  g_assert_cmpstr (spec->disks[1].name, ==, "data");
  g_assert_cmpstr (spec->disks[2].name, ==, "plugins");
  g_assert_cmpuint (spec->n_forwards, ==, 1);
  g_assert_null (sp_machine_ssh (machine));
  g_assert_cmpuint (spec->memory, ==, 256u * 1024u * 1024u);
  g_assert_cmpuint (json_object_get_size (measurement), ==, 4);
  g_assert_cmpstr (json_object_get_string_member (measurement, "base"), ==, "bb");
  g_assert_cmpstr (json_object_get_string_member (measurement, "bundle"), ==, "uu");
  g_assert_cmpstr (json_object_get_string_member (measurement, "image"), ==, "image-id");
  g_assert_cmpstr (json_object_get_string_member (measurement, "plugins"), ==, "pp");
}

static void
test_a_container_is_a_disk_of_the_hosts (void)
{
  const SpImagePart archive = { (char *) "/images/c", (char *) "cc", 512 };
  g_autoptr (SpMachine) machine =
      cloud_machine ("", "", (SpMachineSetup){ .container = &archive, .seed = TRUE });
  const SpVmSpec *spec = sp_machine_spec (machine);
  g_autoptr (JsonObject) measurement = sp_machine_measure (machine);

  g_assert_cmpuint (spec->n_disks, ==, 5);
  g_assert_cmpstr (spec->disks[3].path, ==, "/images/c");
  g_assert_cmpstr (spec->disks[3].name, ==, "container");
  g_assert_cmpuint (spec->disks[3].format, ==, SP_VM_RAW);
  g_assert_true (spec->disks[3].read_only);
  g_assert_cmpuint (spec->memory, ==, 512u * 1024u * 1024u);
  g_assert_cmpstr (json_object_get_string_member (measurement, "container"), ==, "cc");
  /* The seed goes, and the container stays. */
  sp_machine_drop_seed (machine);
  g_assert_cmpuint (spec->n_disks, ==, 4);
}

static void
test_only_the_first_boot_has_the_seed (void)
{
  g_autoptr (SpMachine) machine = cloud_machine ("", "", (SpMachineSetup){ .seed = TRUE });
  const SpVmSpec *spec = sp_machine_spec (machine);

  g_assert_cmpuint (spec->n_disks, ==, 4);
  g_assert_cmpstr (spec->disks[3].path, ==, "/v/seed.iso");
  g_assert_cmpstr (spec->disks[3].name, ==, "seed");
  g_assert_true (spec->disks[3].read_only);
  for (guint i = 0; i < 2; i++) {
    sp_machine_drop_seed (machine);
    g_assert_cmpuint (spec->n_disks, ==, 3);
  }
}

static void
test_maintenance_is_a_disk_and_a_way_to_port_22 (void)
{
  const SpMachineSetup setup = { .maintenance = TRUE, .ssh_port = 2222 };
  g_autoptr (SpMachine) user = cloud_machine ("", "", setup);
  g_autoptr (SpMachine) bridge = cloud_machine (
      "listen = 10.0.0.5:3737\n", "network = bridge\nbridge = br0\naddress = 10.0.0.5/24\n", setup);
  const SpVmSpec *spec = sp_machine_spec (user);

  g_assert_cmpuint (spec->n_disks, ==, 4);
  g_assert_cmpstr (spec->disks[3].name, ==, "maintenance");
  g_assert_true (spec->disks[3].read_only);
  g_assert_cmpuint (spec->n_forwards, ==, 2);
  g_assert_cmpstr (spec->forwards[1].address, ==, "127.0.0.1");
  g_assert_cmpuint (spec->forwards[1].port, ==, 2222);
  g_assert_cmpuint (spec->forwards[1].guest_port, ==, 22);
  g_assert_cmpstr (sp_machine_ssh (user), ==, "127.0.0.1:2222");
  g_assert_cmpuint (sp_machine_spec (bridge)->n_forwards, ==, 0);
  g_assert_cmpstr (sp_machine_ssh (bridge), ==, "10.0.0.5:22");
}

/* Where another program was quicker; nothing that is free is given up. */
static void
test_maintenance_moves_to_a_port_that_is_free (void)
{
  g_autoptr (GSocketListener) taken = g_socket_listener_new ();
  const guint16 port = g_socket_listener_add_any_inet_port (taken, NULL, NULL);
  const SpMachineSetup setup = { .maintenance = TRUE, .ssh_port = port };
  g_autoptr (SpMachine) machine = cloud_machine ("", "", setup);
  g_autoptr (SpMachine) none = cloud_machine ("", "", (SpMachineSetup){ 0 });
  g_autofree char *ssh = NULL;
  guint moves = 0;

  g_assert_false (sp_maintenance_move (none, &moves));
  g_assert_true (sp_maintenance_move (machine, &moves));
  g_assert_cmpuint (moves, ==, 1);
  g_assert_cmpuint (sp_machine_ssh_port (machine), !=, port);
  g_assert_cmpuint (sp_machine_spec (machine)->forwards[1].port, ==, sp_machine_ssh_port (machine));
  ssh = g_strdup_printf ("127.0.0.1:%u", sp_machine_ssh_port (machine));
  g_assert_cmpstr (sp_machine_ssh (machine), ==, ssh);
  g_assert_false (sp_maintenance_move (machine, &moves));
  sp_machine_move_ssh (machine, port);
  moves = 5;
  g_assert_false (sp_maintenance_move (machine, &moves));
}

/* Emulation is no boundary, so a machine must not fall back to it by itself. */
static void
test_acceleration (void)
{
  g_autoptr (SpMachine) strict = machine_of ("", "", NULL);
  g_autoptr (SpMachine) lenient = machine_of ("allow-emulation = yes\n", "", NULL);

  g_assert_cmpuint (sp_machine_spec (strict)->acceleration, ==, SP_VM_KVM);
  g_assert_cmpuint (sp_machine_spec (lenient)->acceleration, ==, SP_VM_NONE);
}

#define BRIDGE "network = bridge\nbridge = br0\naddress = 10.0.0.5/24\ngateway = 10.0.0.1\n"

static void
test_bridge (void)
{
  g_autoptr (SpMachine) machine = machine_of ("listen = 10.0.0.5:3737\n", BRIDGE, NULL);
  const SpVmSpec *spec = sp_machine_spec (machine);

  g_assert_cmpuint (spec->n_forwards, ==, 0);
  g_assert_cmpstr (spec->bridge, ==, "br0");
  g_assert_nonnull (strstr (spec->cmdline, " sp.net=10.0.0.5/24,10.0.0.1,10.0.0.1"));
  g_assert_cmpstr (sp_machine_url (machine), ==, "https://10.0.0.5:3737");
}

/* Two vaults on one bridge are two machines to it. */
static void
test_macs (void)
{
  g_autoptr (SpMachine) first = machine_of ("listen = 10.0.0.5:3737\n", BRIDGE, NULL);
  g_autoptr (SpMachine) again = machine_of ("listen = 10.0.0.5:3737\n", BRIDGE, NULL);
  g_autoptr (SpMachine) second = machine_with_id ("22345678-1234-4234-8234-123456789012",
                                                  "listen = 10.0.0.5:3737\n", BRIDGE, NULL);

  g_assert_true (g_str_has_prefix (sp_machine_spec (first)->mac, "52:54:00:"));
  g_assert_cmpstr (sp_machine_spec (first)->mac, ==, sp_machine_spec (again)->mac);
  g_assert_cmpstr (sp_machine_spec (first)->mac, !=, sp_machine_spec (second)->mac);
}

static void
test_name_servers (void)
{
  static const char *const cases[][2] = {
    { "", NULL },
    { "dns = 9.9.9.9\n", " sp.net=10.0.2.15/24,10.0.2.2,9.9.9.9" },
    { BRIDGE "dns = 9.9.9.9\n", " sp.net=10.0.0.5/24,10.0.0.1,9.9.9.9" },
    { "network = bridge\nbridge = br0\naddress = 10.0.0.5/24\ndns = 10.0.0.9\n",
      " sp.net=10.0.0.5/24,,10.0.0.9" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    gboolean user = strstr (cases[i][0], "bridge") == NULL;
    g_autoptr (SpMachine) machine =
        machine_of (user ? "" : "listen = 10.0.0.5:3737\n", cases[i][0], NULL);
    const char *words = strstr (sp_machine_spec (machine)->cmdline, " sp.net=");

    g_assert_cmpstr (words, ==, cases[i][1]);
  }
}

static void
test_bridge_and_listen_must_agree (void)
{
  static const char *const listens[] = { "listen = 10.0.0.6:3737\n", "listen = 10.0.0.5:3738\n",
                                         "listen = 10.0.0.50:3737\n" };

  for (gsize i = 0; i < G_N_ELEMENTS (listens); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (machine_of (listens[i], BRIDGE, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
    g_assert_nonnull (strstr (error->message, "10.0.0.5:3737"));
  }
}

static void
test_measurement (void)
{
  g_autoptr (SpMachine) machine = machine_of ("", "", NULL);
  g_autoptr (JsonObject) measurement = sp_machine_measure (machine);
  g_autofree char *cmdline =
      g_compute_checksum_for_string (G_CHECKSUM_SHA256, sp_machine_spec (machine)->cmdline, -1);
  const char *const pairs[][2] = { { "cmdline", cmdline }, { "image", "image-id" },
                                   { "initrd", "ii" },     { "kernel", "kk" },
                                   { "plugins", "pp" },    { "root", "rr" } };

  g_assert_cmpuint (json_object_get_size (measurement), ==, G_N_ELEMENTS (pairs));
  for (gsize i = 0; i < G_N_ELEMENTS (pairs); i++)
    g_assert_cmpstr (json_object_get_string_member (measurement, pairs[i][0]), ==, pairs[i][1]);
}

/* ---- plugins ------------------------------------------------------------------------------------------- */

#define TELEGRAM \
  "notify = telegram\n[notify telegram]\nbot-token = file:/t\nca-file = /etc/ssl/certs/" \
  "ca-certificates.crt\n[approver a]\ntelegram = 1\n"

static void
test_options_are_mapped (void)
{
  g_autoptr (SpPluginCatalog) catalog = sp_plugin_catalog_new (g_getenv ("SP_TEST_PLUGINS"));
  g_autoptr (SpConfig) config = config_of (catalog, TELEGRAM, "");
  const SpConfigVault *vault = sp_config_vault (config, NULL, NULL);
  g_autoptr (GVariant) options = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  const char *file = NULL;

  g_assert_true (sp_plugin_disk_map (vault->notifiers[0], catalog, &path, &options, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (path, ==, "/run/plugins/plugins/notify-telegram.so");
  g_assert_true (g_variant_lookup (options, "ca-file", "&s", &file));
  g_assert_cmpstr (file, ==, "/run/plugins/files/notify+telegram+ca-file");
}

static char *
build (const Folder *folder, const char *vault_text, const char *name, GError **error)
{
  g_autoptr (SpPluginCatalog) catalog = sp_plugin_catalog_new (g_getenv ("SP_TEST_PLUGINS"));
  g_autoptr (SpConfig) config = config_of (catalog, vault_text, "");
  g_autofree char *path = g_build_filename (folder->path, name, NULL);
  g_autoptr (GHashTable) content = NULL;
  char *sha256 = NULL;

  if (!sp_plugin_disk_build (sp_config_vault (config, NULL, NULL), catalog, path, &content, &sha256,
                             error))
    return NULL;
  return sha256;
}

static void
test_store_has_no_path_of_its_own (Folder *folder, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (build (folder, "[store sqlite]\npath = /etc/passwd\n", "x", &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
  g_assert_nonnull (strstr (error->message, "[store sqlite] path"));
}

static void
test_only_small_files_are_carried (Folder *folder, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (build (folder,
                        "notify = telegram\n[notify telegram]\nbot-token = file:/t\nca-file = "
                        "/dev/zero\n[approver a]\ntelegram = 1\n",
                        "x", &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
  g_assert_nonnull (strstr (error->message, "ca-file"));
}

static char *
digest_of (const char *path)
{
  g_autofree char *content = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (path, &content, &length, NULL));
  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) content, length);
}

static void
assert_does_not_fit (GHashTable *content, const SpConfigInstance *instance,
                     SpPluginCatalog *catalog, const char *expected)
{
  g_autofree char *key = NULL;

  g_assert_false (sp_plugin_disk_fits (content, instance, catalog, &key));
  g_assert_cmpstr (key, ==, expected);
}

/* A running machine has the plugin and its files as they were when the disk was built. */
static void
test_what_a_running_machine_has (Folder *folder, gconstpointer data)
{
  g_autofree char *ca = g_build_filename (folder->path, "ca.pem", NULL);
  g_autofree char *text = g_strdup_printf ("notify = telegram\n[notify telegram]\nbot-token = "
                                           "file:/t\nca-file = %s\n[approver a]\ntelegram = 1\n",
                                           ca);
  g_autoptr (SpPluginCatalog) catalog = sp_plugin_catalog_new (g_getenv ("SP_TEST_PLUGINS"));
  g_autoptr (GHashTable) content = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autoptr (SpConfig) config = config_of (catalog, text, "");
  g_autofree char *plugin =
      g_build_filename (g_getenv ("SP_TEST_PLUGINS"), "notify-telegram.so", NULL);
  const SpConfigInstance *telegram = sp_config_vault (config, NULL, NULL)->notifiers[0];
  g_autofree char *key = NULL;

  g_assert_true (g_file_set_contents (ca, "one", -1, NULL));
  assert_does_not_fit (content, telegram, catalog, "plugin");
  g_hash_table_insert (content, (gpointer) "plugins/notify-telegram.so", digest_of (plugin));
  assert_does_not_fit (content, telegram, catalog, "ca-file");
  g_hash_table_insert (content, (gpointer) "files/notify+telegram+ca-file", digest_of (ca));
  g_assert_true (sp_plugin_disk_fits (content, telegram, catalog, &key));
  g_assert_true (g_file_set_contents (ca, "two", -1, NULL));
  assert_does_not_fit (content, telegram, catalog, "ca-file");
  g_hash_table_insert (content, (gpointer) "plugins/notify-telegram.so", digest_of (ca));
  assert_does_not_fit (content, telegram, catalog, "plugin");
}

/* ---- the data volume ------------------------------------------------------------------------------------ */

static guint64
size_of (const char *path)
{
  GStatBuf st;

  g_assert_cmpint (g_stat (path, &st), ==, 0);
  return (guint64) st.st_size;
}

static void
test_data_volume_grows (Folder *folder, gconstpointer data)
{
  g_autofree char *path = g_build_filename (folder->path, "data.raw", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (sp_data_volume_grow (path, 1000, &error));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_set_contents (path, "kept", -1, NULL));
  g_assert_true (sp_data_volume_grow (path, 1000, &error));
  g_assert_cmpuint (size_of (path), ==, 1000);
  g_assert_true (sp_data_volume_grow (path, 500, &error));
  g_assert_cmpuint (size_of (path), ==, 1000);
  g_assert_no_error (error);
}

/* ---- libraries ------------------------------------------------------------------------------------------ */

static void
test_closure (void)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  const char *const files[] = { self, NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (GHashTable) libraries = sp_elf_closure (files, &error);

  g_assert_no_error (error);
  g_assert_true (g_hash_table_contains (libraries, "libc.so.6"));
  g_assert_true (g_hash_table_contains (libraries, "ld-linux-x86-64.so.2"));
  g_assert_true (g_hash_table_contains (libraries, "libglib-2.0.so.0"));
  g_assert_false (g_hash_table_contains (libraries, "linux-vdso.so.1"));
}

static void
test_closure_of_no_program (void)
{
  const char *const files[] = { "/etc/passwd", NULL };
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_elf_closure (files, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
}

int
main (int argc, char **argv)
{
  /* The child that describes a plugin is this program, too. */
  if (argc == 3 && strcmp (argv[1], "--describe") == 0)
    return sp_plugin_describe_main (argv[2], 3);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/machine/listens-where-the-config-says", test_user_network);
  g_test_add_func ("/machine/only-the-data-can-be-written", test_disks);
  g_test_add_func ("/machine/emulation-must-be-allowed", test_acceleration);
  g_test_add_func ("/machine/bridge", test_bridge);
  g_test_add_func ("/machine/each-has-a-mac-of-its-own", test_macs);
  g_test_add_func ("/machine/name-servers", test_name_servers);
  g_test_add_func ("/machine/bridge-and-listen-must-agree", test_bridge_and_listen_must_agree);
  g_test_add_func ("/machine/everything-that-boots-is-measured", test_measurement);
  g_test_add_func ("/machine/a-cloud-image-boots-the-vaults-own-disk",
                   test_a_cloud_image_boots_the_vaults_own_disk);
  g_test_add_func ("/machine/a-container-is-a-disk-of-the-hosts",
                   test_a_container_is_a_disk_of_the_hosts);
  g_test_add_func ("/machine/only-the-first-boot-has-the-seed",
                   test_only_the_first_boot_has_the_seed);
  g_test_add_func ("/machine/maintenance-is-a-disk-and-a-way-to-port-22",
                   test_maintenance_is_a_disk_and_a_way_to_port_22);
  g_test_add_func ("/machine/maintenance-moves-to-a-port-that-is-free",
                   test_maintenance_moves_to_a_port_that_is_free);
  g_test_add_func ("/plugin-disk/paths-are-those-of-the-guest", test_options_are_mapped);
  ADD_TEST ("/plugin-disk/a-store-has-no-path-of-its-own", test_store_has_no_path_of_its_own);
  ADD_TEST ("/plugin-disk/only-small-files-are-carried", test_only_small_files_are_carried);
  ADD_TEST ("/plugin-disk/what-a-running-machine-has", test_what_a_running_machine_has);
  ADD_TEST ("/data-volume/it-grows-and-never-shrinks", test_data_volume_grows);
  g_test_add_func ("/elf-closure/of-a-program", test_closure);
  g_test_add_func ("/elf-closure/of-no-program-is-refused", test_closure_of_no_program);
  return g_test_run ();
}
