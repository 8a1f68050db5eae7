/* test-vm-spec.c - the well-known options of a [vm]: host/vm/vm-spec.h, with the plugin vm-qemu */
#include "host/vm/vm-spec.h"

#include <string.h>

#include "base/problem.h"

#define MIB (1024u * 1024u)

static SpVmSettings *
settings_of (const char *options, GError **error)
{
  g_autoptr (SpPluginCatalog) catalog = sp_plugin_catalog_new (g_getenv ("SP_TEST_PLUGINS"));
  g_autoptr (GVariant) given =
      g_variant_parse (G_VARIANT_TYPE ("a{ss}"), options, NULL, NULL, NULL);
  const SpConfigInstance instance = {
    .kind = "vm", .name = "main", .plugin = "qemu", .options = given
  };

  return sp_vm_settings_new (&instance, catalog, error);
}

static void
assert_refused (const char *options, const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (settings_of (options, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
  if (strstr (error->message, message) == NULL)
    g_error ("'%s' does not say '%s'", error->message, message);
}

static void
test_defaults_are_the_plugins (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpVmSettings) settings = settings_of ("{}", &error);
  SpVmSpec spec = { .size = sizeof spec };

  g_assert_no_error (error);
  g_assert_cmpuint (settings->memory, ==, 128u * MIB);
  g_assert_cmpuint (settings->disk_size, ==, 256u * MIB);
  g_assert_null (settings->dns);
  sp_vm_settings_apply (settings, &spec);
  g_assert_cmpuint (spec.memory, ==, 128u * MIB);
  g_assert_cmpuint (spec.cpus, ==, 1);
  g_assert_cmpuint (spec.network, ==, SP_VM_NETWORK_USER);
  g_assert_null (spec.bridge);
}

static void
test_a_bridge (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpVmSettings) settings =
      settings_of ("{'network': 'bridge', 'bridge': 'br0', 'address': '10.0.0.5/24', "
                   "'gateway': '10.0.0.1', 'dns': '10.0.0.2', 'memory': '200M'}",
                   &error);

  g_assert_no_error (error);
  g_assert_cmpuint (settings->network, ==, SP_VM_NETWORK_BRIDGE);
  g_assert_cmpstr (settings->bridge, ==, "br0");
  g_assert_cmpstr (settings->address, ==, "10.0.0.5/24");
  g_assert_cmpstr (settings->gateway, ==, "10.0.0.1");
  g_assert_cmpstr (settings->dns, ==, "10.0.0.2");
  g_assert_cmpuint (settings->memory, ==, 200u * MIB);
}

static void
test_what_is_missing_is_named (void)
{
  assert_refused ("{'network': 'bridge', 'address': '10.0.0.5/24'}",
                  "[vm main]: it does not set 'bridge'");
  assert_refused ("{'network': 'tap', 'bridge': 'tap0'}", "[vm main]: it does not set 'address'");
}

static void
test_what_is_no_address_is_refused (void)
{
  static const char *const wrong[] = { "10.0.0.5", "10.0.0.5/33", "10.0.0.5/0", "host/24", "/24" };

  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autofree char *options =
        g_strdup_printf ("{'network': 'bridge', 'bridge': 'br0', 'address': '%s'}", wrong[i]);

    assert_refused (options, "is no numeric address of IPv4");
  }
  assert_refused ("{'dns': 'fd00::1'}", "dns: 'fd00::1' is no numeric address of IPv4");
  assert_refused ("{'network': 'bridge', 'bridge': 'br0', 'address': 'fd00::2/64'}", "address");
  assert_refused ("{'dns': 'example.org'}", "dns: 'example.org' is no numeric address of IPv4");
}

static void
test_the_plugins_limits_hold (void)
{
  assert_refused ("{'memory': '64M'}", "memory");
  assert_refused ("{'network': 'wifi'}", "network");
}

int
main (int argc, char **argv)
{
  /* The child that describes a plugin is this program, too. */
  if (argc == 3 && strcmp (argv[1], "--describe") == 0)
    return sp_plugin_describe_main (argv[2], 3);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/host/vm-spec/defaults-are-the-plugins", test_defaults_are_the_plugins);
  g_test_add_func ("/host/vm-spec/a-bridge", test_a_bridge);
  g_test_add_func ("/host/vm-spec/what-is-missing-is-named", test_what_is_missing_is_named);
  g_test_add_func ("/host/vm-spec/what-is-no-address-is-refused",
                   test_what_is_no_address_is_refused);
  g_test_add_func ("/host/vm-spec/the-plugins-limits-hold", test_the_plugins_limits_hold);
  return g_test_run ();
}
