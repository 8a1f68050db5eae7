/* test-host.c - who QEMU runs as, whose a domain is, what an error of libvirt's means, where copies may lie */
#include <libvirt/virterror.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot.h"
#include "errors.h"
#include "host-facts.h"
#include "process.h"
#include "usual.h"

static void
assert_label (const char *base, gboolean kvm_closed, gid_t kvm_group, const char *expected)
{
  uid_t user = 0;
  g_autofree char *label = sp_libvirt_choose_label (base, 61500, kvm_closed, kvm_group, &user);

  g_assert_cmpstr (label, ==, expected);
  if (label != NULL)
    g_assert_cmpuint (user, ==, (guint) g_ascii_strtoull (label + 1, NULL, 10));
}

static void
test_qemu_has_a_user_of_its_own_where_it_can (void)
{
  assert_label ("+64055:+107", FALSE, 0, "+61500:+107");
  assert_label ("+64055:+107", TRUE, 107, "+61500:+107");
  assert_label ("+64055:+64055", TRUE, 107, "+64055:+64055");
}

static void
test_qemu_is_never_root (void)
{
  assert_label ("+0:+0", FALSE, 0, NULL);
  assert_label ("+64055:+0", FALSE, 0, NULL);
  assert_label ("root:root", FALSE, 0, NULL);
  assert_label (NULL, FALSE, 0, NULL);
}

static void
test_a_word_lives_as_long_as_its_process (void)
{
  g_autofree char *word = sp_libvirt_process_word ();
  g_autofree char *later = g_strconcat (word, "1", NULL);

  g_assert_true (sp_libvirt_process_lives (word));
  g_assert_false (sp_libvirt_process_lives (later));
  g_assert_false (sp_libvirt_process_lives (""));
  g_assert_false (sp_libvirt_process_lives ("../self"));
}

static void
test_errors_of_libvirt (void)
{
  g_assert_cmpint (sp_libvirt_code (VIR_ERR_NO_CONNECT), ==, SP_ERROR_UNAVAILABLE);
  g_assert_cmpint (sp_libvirt_code (VIR_ERR_AUTH_FAILED), ==, SP_ERROR_REFUSED);
  g_assert_cmpint (sp_libvirt_code (VIR_ERR_NO_DOMAIN), ==, SP_ERROR_NOT_FOUND);
  g_assert_cmpint (sp_libvirt_code (VIR_ERR_OPERATION_FAILED), ==, SP_ERROR_CONFLICT);
  g_assert_cmpint (sp_libvirt_code (99999), ==, SP_ERROR_UNAVAILABLE);
}

static void
test_copies_lie_in_a_folder_of_roots (void)
{
  g_autofree char *folder = g_dir_make_tmp ("sp-boot-XXXXXX", NULL);
  g_autofree char *kernel = g_build_filename (folder, "k", NULL);
  g_auto (SpLibvirtBoot) boot = { NULL, NULL };
  g_autoptr (GError) error = NULL;
  SpVmSpec spec = usual_spec (SP_VM_OWNED);
  struct stat st;

  if (geteuid () != 0) {
    g_test_skip ("this needs root");
    return;
  }
  g_assert_true (g_file_set_contents (kernel, "KERNEL", -1, NULL));
  spec.kernel = kernel;
  spec.initrd = NULL;
  /* One that only root can enter is of no use to QEMU. */
  g_assert_false (sp_libvirt_boot_prepare (folder, &spec, &boot, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_CONFIG);
  g_clear_error (&error);
  g_assert_cmpint (chmod (folder, 0711), ==, 0);
  g_assert_true (sp_libvirt_boot_prepare (folder, &spec, &boot, &error));
  g_assert_no_error (error);
  g_assert_null (boot.initrd);
  g_assert_true (stat (boot.kernel, &st) == 0 && (st.st_mode & 0777) == 0644 && st.st_size == 6);
  sp_libvirt_boot_remove (folder, spec.id);
  g_assert_cmpint (access (boot.kernel, F_OK), !=, 0);
  g_assert_cmpint (chmod (folder, 0777), ==, 0);
  sp_libvirt_boot_clear (&boot);
  g_assert_false (sp_libvirt_boot_prepare (folder, &spec, &boot, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_CONFIG);
  g_assert_cmpint (unlink (kernel), ==, 0);
  g_assert_cmpint (rmdir (folder), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vm-libvirt/host/qemu-has-a-user-of-its-own-where-it-can",
                   test_qemu_has_a_user_of_its_own_where_it_can);
  g_test_add_func ("/vm-libvirt/host/qemu-is-never-root", test_qemu_is_never_root);
  g_test_add_func ("/vm-libvirt/host/a-word-lives-as-long-as-its-process",
                   test_a_word_lives_as_long_as_its_process);
  g_test_add_func ("/vm-libvirt/host/errors-of-libvirt", test_errors_of_libvirt);
  g_test_add_func ("/vm-libvirt/host/copies-lie-in-a-folder-of-roots",
                   test_copies_lie_in_a_folder_of_roots);
  return g_test_run ();
}
