/* test-client-vm.c - virtual machines, through client and plugin host */
#include "client-fixture.h"

#define ID "11111111-2222-4333-8444-555555555555"

typedef struct {
  guint n_done;
  GError *error;
  char *seen;
} VmResult;

static void
finish (VmResult *result, const GError *error, char *seen)
{
  result->error = error != NULL ? g_error_copy (error) : NULL;
  result->seen = seen;
  result->n_done++;
}

static void
on_done (const GError *error, gpointer data)
{
  finish (data, error, NULL);
}

static void
on_probed (const SpVmProbe *probe, const GError *error, gpointer data)
{
  finish (data, error,
          probe != NULL
              ? g_strdup_printf ("%u %s: %s", probe->acceleration, probe->version, probe->why)
              : NULL);
}

static void
on_inspected (const SpVmInfo *info, const GError *error, gpointer data)
{
  finish (data, error,
          info != NULL
              ? g_strdup_printf ("%u %u %d %s %s", info->state, info->acceleration, (int) info->pid,
                                 info->address ? info->address : "-", info->why ? info->why : "-")
              : NULL);
}

static void
on_listed (const SpPluginMachine *machines, gsize n_machines, const GError *error, gpointer data)
{
  finish (data, error,
          n_machines == 1 ? g_strdup_printf ("%s %u", machines[0].id, machines[0].state) : NULL);
}

static void
assert_result (VmResult *result, const char *seen, const char *message)
{
  WAIT_UNTIL (result->n_done == 1);
  g_assert_cmpstr (result->error != NULL ? result->error->message : NULL, ==, message);
  g_assert_cmpstr (result->seen, ==, seen);
  g_clear_error (&result->error);
  g_clear_pointer (&result->seen, g_free);
  result->n_done = 0;
}

static void
create (Fixture *fixture, VmResult *result)
{
  const SpVmDisk disks[] = { { "/d/data", "data", SP_VM_RAW, FALSE },
                             { "/d/root", "root", SP_VM_RAW, TRUE } };
  const SpVmForward forwards[] = { { "127.0.0.1", 3737, 3737 } };
  const SpVmSpec spec = { .size = sizeof spec,
                          .id = ID,
                          .name = "default",
                          .role = SP_VM_OWNED,
                          .kernel = "/k",
                          .initrd = "/i",
                          .cmdline = "quiet a=b",
                          .disks = disks,
                          .n_disks = 2,
                          .memory = 128u * 1024 * 1024,
                          .cpus = 1,
                          .acceleration = SP_VM_EMULATED,
                          .network = SP_VM_NETWORK_USER,
                          .forwards = forwards,
                          .n_forwards = 1,
                          .admin_socket = "/d/admin",
                          .log = "/d/log",
                          .log_limit = 1000 };

  sp_plugin_client_vm_create (fixture->client, &spec, on_done, result);
  assert_result (result, NULL, NULL);
}

#define TOLD \
  "2 default /k /i quiet a=b disk /d/data data 1 0 of 2, 134217728 1 2 1 - - " \
  "forward 127.0.0.1 3737 3737 of 1, /d/admin /d/log 1000 - -"

static void
test_specification_arrives_whole (void)
{
  Fixture fixture = { 0 };
  VmResult result = { 0 };

  fixture_setup_plain (&fixture, "vm-paper.so");
  create (&fixture, &result);
  sp_plugin_client_vm_inspect (fixture.client, ID, on_inspected, &result);
  assert_result (&result, "2 0 42 " TOLD " -", NULL);
  fixture_teardown (&fixture);
}

static void
test_life_of_a_machine (void)
{
  Fixture fixture = { 0 };
  VmResult result = { 0 };

  fixture_setup_plain (&fixture, "vm-paper.so");
  sp_plugin_client_vm_probe (fixture.client, on_probed, &result);
  assert_result (&result, "2 paper 1: paper is patient", NULL);
  sp_plugin_client_vm_start (fixture.client, ID, on_done, &result);
  assert_result (&result, NULL, "vm test: there is no machine " ID);
  create (&fixture, &result);
  sp_plugin_client_vm_start (fixture.client, ID, on_done, &result);
  assert_result (&result, NULL, NULL);
  sp_plugin_client_vm_list (fixture.client, on_listed, &result);
  assert_result (&result, ID " 3", NULL);
  sp_plugin_client_vm_stop (fixture.client, ID, TRUE, on_done, &result);
  assert_result (&result, NULL, NULL);
  sp_plugin_client_vm_inspect (fixture.client, ID, on_inspected, &result);
  assert_result (&result, "5 0 42 " TOLD " it was torn", NULL);
  sp_plugin_client_vm_destroy (fixture.client, ID, on_done, &result);
  assert_result (&result, NULL, NULL);
  sp_plugin_client_vm_inspect (fixture.client, ID, on_inspected, &result);
  assert_result (&result, "1 0 0 - -", NULL);
  fixture_teardown (&fixture);
}

static void
test_what_it_says_by_itself (void)
{
  Fixture fixture = { 0 };
  VmResult result = { 0 };

  fixture_setup_plain (&fixture, "vm-paper.so");
  create (&fixture, &result);
  sp_plugin_client_vm_start (fixture.client, ID, on_done, &result);
  assert_result (&result, NULL, NULL);
  WAIT_UNTIL (fixture.progress->len == 1 && fixture.changed->len == 1);
  g_assert_cmpstr (g_ptr_array_index (fixture.progress, 0), ==, "unfolding");
  g_assert_cmpstr (g_ptr_array_index (fixture.changed, 0), ==, ID);
  fixture_teardown (&fixture);
}

/* Where the process dies, what it knew is gone, and the next one says so instead of guessing. */
static void
test_machines_end_with_the_process (void)
{
  Fixture fixture = { 0 };
  VmResult result = { 0 };

  fixture_setup_plain (&fixture, "vm-paper.so");
  create (&fixture, &result);
  g_subprocess_force_exit (fixture.process);
  WAIT_UNTIL (sp_plugin_client_state (fixture.client) == SP_PLUGIN_DOWN);
  sp_plugin_client_vm_inspect (fixture.client, ID, on_inspected, &result);
  assert_result (&result, "1 0 0 - -", NULL);
  g_assert_cmpuint (fixture.n_processes, ==, 2);
  fixture_teardown (&fixture);
}

static void
test_careless_answers_are_not_believed (void)
{
  Fixture fixture = { 0 };
  VmResult result = { 0 };

  fixture_setup_plain (&fixture, "vm-careless.so");
  sp_plugin_client_vm_probe (fixture.client, on_probed, &result);
  assert_result (&result, NULL,
                 "vm test: probe() succeeded and did not say what it found: a bug of it");
  sp_plugin_client_vm_start (fixture.client, ID, on_done, &result);
  assert_result (&result, NULL, "vm test: start() failed and did not say why: a bug of it");
  sp_plugin_client_vm_stop (fixture.client, ID, FALSE, on_done, &result);
  assert_result (&result, NULL,
                 "vm test: stop() succeeded and set an error all the same, a bug of it: no");
  sp_plugin_client_vm_inspect (fixture.client, ID, on_inspected, &result);
  assert_result (&result, NULL,
                 "vm test: inspect() succeeded and did not say what it saw: a bug of it");
  sp_plugin_client_vm_list (fixture.client, on_listed, &result);
  assert_result (&result, NULL,
                 "vm test: list() succeeded and gave machines that make no sense: a bug of it");
  fixture_teardown (&fixture);
}

static void
test_calls_of_other_kinds_are_refused (void)
{
  Fixture fixture = { 0 };
  VmResult result = { 0 };

  fixture_setup_plain (&fixture, "store-memory.so");
  sp_plugin_client_vm_start (fixture.client, ID, on_done, &result);
  assert_result (&result, NULL, "store test: vm-start: the plugin is not in a state for that");
  fixture_teardown (&fixture);
}

int
main (int argc, char **argv)
{
  int status;

  if (fixture_main (argc, argv, &status))
    return status;
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugin/vm/specification-arrives-whole", test_specification_arrives_whole);
  g_test_add_func ("/plugin/vm/life-of-a-machine", test_life_of_a_machine);
  g_test_add_func ("/plugin/vm/what-it-says-by-itself", test_what_it_says_by_itself);
  g_test_add_func ("/plugin/vm/machines-end-with-the-process", test_machines_end_with_the_process);
  g_test_add_func ("/plugin/vm/careless-answers-are-not-believed",
                   test_careless_answers_are_not_believed);
  g_test_add_func ("/plugin/vm/calls-of-other-kinds-are-refused",
                   test_calls_of_other_kinds_are_refused);
  return g_test_run ();
}
