/* test-guard.c - which exceptions the network guard is told */
#include "guard-rules.h"

static void
assert_rules (const char *const *ports, const char *resolv_conf, const char *expected)
{
  g_autofree char *rules = sp_qemu_guard_rules (ports, resolv_conf);

  g_assert_cmpstr (rules, ==, expected);
}

static void
test_nothing_by_default (void)
{
  static const char *const none[] = { NULL };

  assert_rules (none, "", ";");
  assert_rules (none, "nameserver 10.0.0.1\nsearch example.org\n", ";");
}

static void
test_ports_and_resolvers_on_the_loopback (void)
{
  static const char *const two[] = { "80", "5432", NULL };

  assert_rules (
      two,
      "# nameserver 127.0.0.1\nnameserver\t127.0.0.53\n nameserver 127.0.0.1 x\nnameserver ::1\n",
      "80,5432;127.0.0.53,127.0.0.1");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vm-common/guard/nothing-by-default", test_nothing_by_default);
  g_test_add_func ("/vm-common/guard/ports-and-resolvers-on-the-loopback",
                   test_ports_and_resolvers_on_the_loopback);
  return g_test_run ();
}
