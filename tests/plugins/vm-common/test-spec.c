/* test-spec.c - which specifications are taken, and how they are kept */
#include "spec.h"

#include "usual.h"

static void
assert_refused (const SpVmSpec *spec, const char *what)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (sp_qemu_spec_check (spec, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_CONFIG);
  if (g_strstr_len (error->message, -1, what) == NULL)
    g_error ("'%s' does not say '%s'", error->message, what);
}

static void
test_usual_is_taken (void)
{
  static const guint32 roles[] = { SP_VM_OWNED, SP_VM_PROVISION };

  for (gsize i = 0; i < G_N_ELEMENTS (roles); i++) {
    SpVmSpec spec = usual_spec (roles[i]);
    g_autoptr (GError) error = NULL;

    g_assert_true (sp_qemu_spec_check (&spec, &error));
    g_assert_no_error (error);
  }
}

/* What QEMU would take for more than a value. */
static void
test_names_with_a_meaning_are_refused (void)
{
  SpVmSpec spec = usual_spec (SP_VM_OWNED);
  const SpVmDisk disk = { "/d", "a,b", SP_VM_RAW, FALSE };
  const SpVmForward forward = { "127.0.0.1,guestfwd=x", 1, 1 };

  spec.name = "a,debug-threads=on";
  assert_refused (&spec, "name of the machine");
  spec = usual_spec (SP_VM_OWNED);
  spec.disks = &disk;
  spec.n_disks = 1;
  assert_refused (&spec, "name of the disk");
  spec = usual_spec (SP_VM_OWNED);
  spec.forwards = &forward;
  assert_refused (&spec, "IPv4");
  spec = usual_spec (SP_VM_OWNED);
  spec.mac = "52:54:00:12:34:56,x";
  assert_refused (&spec, "no MAC address");
  spec = usual_spec (SP_VM_OWNED);
  spec.network = SP_VM_NETWORK_NAMED;
  spec.n_forwards = 0;
  spec.bridge = "a network";
  assert_refused (&spec, "name of the network");
  spec = usual_spec (SP_VM_OWNED);
  spec.network = SP_VM_NETWORK_BRIDGE;
  spec.n_forwards = 0;
  spec.bridge = "br0,script=/x";
  assert_refused (&spec, "name of the bridge");
}

static void
test_roles (void)
{
  SpVmSpec spec = usual_spec (SP_VM_OWNED);

  spec.monitor = "/v/monitor";
  assert_refused (&spec, "an owned machine has no monitor");
  spec = usual_spec (SP_VM_PROVISION);
  spec.pid_file = NULL;
  assert_refused (&spec, "needs a monitor and a pid file");
  spec.role = 3;
  assert_refused (&spec, "no role 3");
}

static void
test_something_must_boot (void)
{
  g_autoptr (GError) error = NULL;
  SpVmSpec spec = usual_spec (SP_VM_OWNED);

  spec.kernel = spec.initrd = spec.cmdline = NULL;
  g_assert_true (sp_qemu_spec_check (&spec, &error));
  g_assert_no_error (error);
  spec.n_disks = 0;
  assert_refused (&spec, "neither a kernel nor a disk");
  spec = usual_spec (SP_VM_OWNED);
  spec.kernel = NULL;
  assert_refused (&spec, "needs a kernel");
}

static void
test_sizes (void)
{
  SpVmSpec spec = usual_spec (SP_VM_OWNED);

  spec.memory = 95u * 1024 * 1024;
  assert_refused (&spec, "bytes of memory");
  spec = usual_spec (SP_VM_OWNED);
  spec.cpus = 0;
  assert_refused (&spec, "CPUs");
  spec = usual_spec (SP_VM_OWNED);
  spec.n_disks = SP_QEMU_MAX_DISKS + 1;
  assert_refused (&spec, "disks");
}

static void
test_a_copy_is_equal_and_its_own (void)
{
  SpVmSpec spec = usual_spec (SP_VM_PROVISION);
  SpVmDisk disks[2] = { usual_disks[0], usual_disks[1] };
  SpVmSpec *copy = sp_qemu_spec_copy (&spec);

  g_assert_true (sp_qemu_spec_equal (&spec, copy));
  g_assert_true (copy->kernel != spec.kernel);
  g_assert_true (copy->disks[0].path != spec.disks[0].path);
  spec.disks = disks;
  g_assert_true (sp_qemu_spec_equal (&spec, copy));
  disks[1].read_only = TRUE;
  g_assert_false (sp_qemu_spec_equal (&spec, copy));
  spec = usual_spec (SP_VM_PROVISION);
  spec.cmdline = "quiet";
  g_assert_false (sp_qemu_spec_equal (&spec, copy));
  sp_qemu_spec_free (copy);
}

/* A core that is older knows fewer members. */
static void
test_a_shorter_one_reads_as_unset (void)
{
  SpVmSpec spec = usual_spec (SP_VM_PROVISION);
  SpVmSpec *copy;

  spec.size = G_STRUCT_OFFSET (SpVmSpec, monitor);
  copy = sp_qemu_spec_copy (&spec);
  g_assert_null (copy->monitor);
  g_assert_null (copy->pid_file);
  g_assert_cmpstr (copy->log, ==, "/v/log");
  sp_qemu_spec_free (copy);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vm-common/spec/usual-is-taken", test_usual_is_taken);
  g_test_add_func ("/vm-common/spec/names-with-a-meaning-are-refused",
                   test_names_with_a_meaning_are_refused);
  g_test_add_func ("/vm-common/spec/roles", test_roles);
  g_test_add_func ("/vm-common/spec/something-must-boot", test_something_must_boot);
  g_test_add_func ("/vm-common/spec/sizes", test_sizes);
  g_test_add_func ("/vm-common/spec/a-copy-is-equal-and-its-own", test_a_copy_is_equal_and_its_own);
  g_test_add_func ("/vm-common/spec/a-shorter-one-reads-as-unset",
                   test_a_shorter_one_reads_as_unset);
  return g_test_run ();
}
