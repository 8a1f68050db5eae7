/* test-cloud-image.c - cloud/cloud-image.h: what a cloud image is made of, and that nothing of it can be
 * exchanged */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/problem.h"
#include "cloud-fixture.h"
#include "host/appliance/image-set.h"
#include "host/image/image.h"

typedef struct {
  CloudFixture cloud;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  cloud_fixture_set_up (&fixture->cloud);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  cloud_fixture_clear (&fixture->cloud);
}

static void
test_made_and_opened (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpCloudImage) made = cloud_fixture_make (&fixture->cloud);
  g_autoptr (GError) error = NULL;
  g_autoptr (SpCloudImage) opened = sp_cloud_image_open (fixture->cloud.image, &error);
  g_autofree char *again = g_build_filename (fixture->cloud.dir, "again", NULL);
  const SpCloudParts parts = cloud_fixture_parts (&fixture->cloud);
  g_autoptr (SpCloudImage) second = sp_cloud_image_make (&parts, again, NULL);

  g_assert_no_error (error);
  g_assert_cmpstr (opened->id, ==, made->id);
  g_assert_cmpstr (opened->name, ==, "vendor");
  g_assert_null (opened->url);
  g_assert_cmpuint (strlen (opened->sha512), ==, 128);
  /* The same parts are the same image. */
  g_assert_cmpstr (second->id, ==, made->id);
}

static void
test_changed_part_is_named (Fixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "base.qcow2", "bundle.tar", "user-data", "meta-data",
                                       "network-config" };
  g_autoptr (SpCloudImage) made = cloud_fixture_make (&fixture->cloud);

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = g_build_filename (made->dir, names[i], NULL);
    g_autofree char *kept = NULL;
    g_autoptr (GError) error = NULL;
    gsize length;

    g_assert_true (g_file_get_contents (path, &kept, &length, NULL));
    kept[length / 2] ^= 1;
    g_assert_true (g_file_set_contents (path, kept, (gssize) length, NULL));
    g_assert_null (sp_cloud_image_open (made->dir, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
    g_assert_nonnull (strstr (error->message, names[i]));
    kept[length / 2] ^= 1;
    g_assert_true (g_file_set_contents (path, kept, (gssize) length, NULL));
  }
  g_assert_nonnull (made);
}

static void
test_wrong_checksum_leaves_nothing (Fixture *fixture, gconstpointer data)
{
  SpCloudParts parts = cloud_fixture_parts (&fixture->cloud);
  g_autofree char *wrong = g_strnfill (128, 'a');
  g_autoptr (GError) error = NULL;

  parts.sha512 = wrong;
  g_assert_null (sp_cloud_image_make (&parts, fixture->cloud.image, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  g_assert_false (g_file_test (fixture->cloud.image, G_FILE_TEST_EXISTS));
}

/* A base that names another file would bring that file's content into the disk. */
static void
test_base_with_a_backing_file_is_refused (Fixture *fixture, gconstpointer data)
{
  SpCloudParts parts = cloud_fixture_parts (&fixture->cloud);
  g_autofree char *overlay = g_build_filename (fixture->cloud.dir, "overlay.qcow2", NULL);
  g_autoptr (GError) error = NULL;

  CLOUD_RUN ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", fixture->cloud.base,
             overlay);
  parts.base = overlay;
  g_assert_null (sp_cloud_image_make (&parts, fixture->cloud.image, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  g_assert_nonnull (strstr (error->message, "another file"));
  g_assert_false (g_file_test (fixture->cloud.image, G_FILE_TEST_EXISTS));
}

static void
test_compressed_base_becomes_a_plain_disk (Fixture *fixture, gconstpointer data)
{
  g_autofree char *raw = g_build_filename (fixture->cloud.dir, "raw", NULL);
  g_autofree char *path = g_build_filename (fixture->cloud.dir, "system.qcow2", NULL);
  g_autofree char *content = g_strnfill (1 << 20, 'x');
  g_autoptr (GError) error = NULL;
  g_autoptr (SpCloudImage) made = NULL;
  g_autoptr (GPtrArray) findings = NULL;
  struct stat st;
  int fd;

  cloud_write (fixture->cloud.dir, "raw", content);
  CLOUD_RUN ("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, fixture->cloud.base);
  made = cloud_fixture_make (&fixture->cloud);
  g_assert_true (sp_cloud_image_make_system (made, path, 64u << 20, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
  fd = g_open (path, O_RDONLY, 0);
  findings = sp_image_check (fd, &sp_image_default_limits, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (findings->len, ==, 0);
  {
    g_autoptr (SpImage) disk = sp_image_open (fd, &sp_image_default_limits, &error);
    char last;

    g_assert_cmpuint (sp_image_size (disk), ==, 64u << 20);
    g_assert_true (sp_image_read (disk, (1 << 20) - 1, &last, 1, &error));
    g_assert_cmpint (last, ==, 'x');
  }
  g_assert_true (g_close (fd, NULL));
}

static void
test_disk_never_shrinks (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpCloudImage) made = cloud_fixture_make (&fixture->cloud);
  g_autofree char *path = g_build_filename (fixture->cloud.dir, "system.qcow2", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (sp_cloud_image_make_system (made, path, 1u << 20, &error));
  g_assert_nonnull (error);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

/* Both kinds lie side by side; the newest of one is never the other. */
static void
test_kinds_are_kept_apart (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpCloudImage) made = cloud_fixture_make (&fixture->cloud);
  g_autofree char *state = g_build_filename (fixture->cloud.dir, "state", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (SpCloudImage) kept = sp_cloud_image_import (made, state, &error);
  g_autoptr (SpCloudImage) newest = sp_cloud_image_find (state, NULL, &error);
  g_auto (GStrv) ids = sp_image_set_list (state);
  g_autofree char *named = sp_cloud_image_named (state, "vendor");

  g_assert_no_error (error);
  g_assert_cmpstr (newest->id, ==, made->id);
  g_assert_cmpstr (named, ==, made->id);
  g_assert_null (sp_cloud_image_named (state, "vend"));
  g_assert_cmpstr (ids[0], ==, made->id);
  g_assert_null (sp_image_set_find (state, NULL, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (sp_image_set_find (state, made->id, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT);
  g_assert_true (sp_image_set_remove (state, made->id, NULL));
  g_assert_null (sp_cloud_image_find (state, NULL, NULL));
  g_assert_nonnull (kept);
}

static void
test_own_templates (Fixture *fixture, gconstpointer data)
{
  SpCloudParts parts = cloud_fixture_parts (&fixture->cloud);
  g_autoptr (SpCloudImage) image = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GBytes) built_in = sp_cloud_template_default (SP_CLOUD_META_DATA, SP_CLOUD_SERVICE);

  cloud_write (fixture->cloud.dir, "user-data", "#cloud-config\nhostname: @hostname@\n");
  parts.templates = fixture->cloud.dir;
  image = sp_cloud_image_make (&parts, fixture->cloud.image, &error);
  g_assert_no_error (error);
  g_assert_true (
      g_file_get_contents (image->templates[SP_CLOUD_USER_DATA].path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "#cloud-config\nhostname: @hostname@\n");
  g_assert_cmpuint (image->templates[SP_CLOUD_META_DATA].size, ==, g_bytes_get_size (built_in));
}

/* ---- in a container ------------------------------------------------------------------------------------- */

static SpCloudImage *
make_with_container (const CloudFixture *cloud)
{
  const SpCloudParts parts = cloud_fixture_container_parts (cloud);
  g_autoptr (GError) error = NULL;
  SpCloudImage *image = sp_cloud_image_make (&parts, cloud->image, &error);

  g_assert_no_error (error);
  return image;
}

static char *
manifest_of (const char *dir)
{
  gsize length;
  g_autofree char *id = NULL;

  return sp_image_manifest_read (dir, &length, &id, NULL);
}

/* Images of earlier releases are those of this one. */
static void
test_a_service_is_not_told_of (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpCloudImage) made = cloud_fixture_make (&fixture->cloud);
  g_autofree char *manifest = manifest_of (made->dir);
  SpCloudRuntime runtime = SP_CLOUD_IN_CONTAINER;

  g_assert_null (strstr (manifest, "runtime"));
  g_assert_null (strstr (manifest, "container"));
  g_assert_cmpint (made->runtime, ==, SP_CLOUD_SERVICE);
  g_assert_null (made->container.path);
  g_assert_true (sp_cloud_image_runtime (made->dir, &runtime, NULL));
  g_assert_cmpint (runtime, ==, SP_CLOUD_SERVICE);
}

static void
test_the_archive_is_a_part (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpCloudImage) made = make_with_container (&fixture->cloud);
  g_autofree char *manifest = manifest_of (made->dir);
  g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "an OCI archive\n", -1);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (made->runtime, ==, SP_CLOUD_IN_CONTAINER);
  g_assert_cmpstr (made->container.sha256, ==, sum);
  g_assert_nonnull (strstr (manifest, "\"runtime\":\"container\""));
  cloud_write (made->dir, "container.tar", "another");
  g_assert_null (sp_cloud_image_open (made->dir, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  g_assert_nonnull (strstr (error->message, "container.tar"));
}

/* A vault moves to another image of its own runtime, whichever is newer. */
static void
test_newest_of_a_runtime (Fixture *fixture, gconstpointer data)
{
  g_autofree char *state = g_build_filename (fixture->cloud.dir, "state", NULL);
  g_autoptr (SpCloudImage) contained = make_with_container (&fixture->cloud);
  g_autoptr (SpCloudImage) kept = sp_cloud_image_import (contained, state, NULL);
  g_autofree char *service = sp_cloud_image_newest (state, NULL, SP_CLOUD_SERVICE);
  g_autofree char *container = sp_cloud_image_newest (state, "vendor", SP_CLOUD_IN_CONTAINER);
  g_autofree char *any = sp_cloud_image_newest (state, NULL, SP_CLOUD_N_RUNTIMES);

  g_assert_nonnull (kept);
  g_assert_null (service);
  g_assert_cmpstr (container, ==, kept->id);
  g_assert_cmpstr (any, ==, kept->id);
  g_assert_null (sp_cloud_image_newest (state, "other", SP_CLOUD_IN_CONTAINER));
}

/* That is asked of the manifest for which the id stands, so a base that is damaged does not matter. */
static void
test_same_templates (Fixture *fixture, gconstpointer data)
{
  g_autofree char *state = g_build_filename (fixture->cloud.dir, "state", NULL);
  g_autoptr (SpCloudImage) contained = make_with_container (&fixture->cloud);
  g_autoptr (SpCloudImage) kept = sp_cloud_image_import (contained, state, NULL);
  SpImagePart *template = &contained->templates[SP_CLOUD_USER_DATA];

  g_assert_nonnull (kept);
  cloud_write (kept->dir, SP_CLOUD_BASE, "damaged");
  g_assert_true (sp_cloud_image_has_templates (state, kept->id, contained));
  template->sha256[0] = template->sha256[0] == '0' ? '1' : '0';
  g_assert_false (sp_cloud_image_has_templates (state, kept->id, contained));
  g_assert_false (sp_cloud_image_has_templates (state, contained->bundle_id, kept));
  cloud_write (kept->dir, "manifest", "{}");
  g_assert_false (sp_cloud_image_has_templates (state, kept->id, kept));
}

static void
test_a_manifest_that_fits_no_runtime (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *from, *to;
  } changes[] = { { "\"runtime\":\"container\"", "\"runtime\":\"jail\"" },
                  { "\"runtime\":\"container\"", "\"runtime\":\"service\"" },
                  { "\"container\":{", "\"contents\":{" } };
  g_autoptr (SpCloudImage) made = make_with_container (&fixture->cloud);
  g_autofree char *manifest = manifest_of (made->dir);

  for (gsize i = 0; i < G_N_ELEMENTS (changes); i++) {
    GString *text = g_string_new (manifest);
    g_autoptr (GError) error = NULL;

    g_assert_cmpuint (g_string_replace (text, changes[i].from, changes[i].to, 0), ==, 1);
    cloud_write (made->dir, "manifest", text->str);
    g_string_free (text, TRUE);
    g_assert_null (sp_cloud_image_open (made->dir, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  }
}

/* Kept, exported and removed with all else; what lies there and is of no image is not. */
static void
test_the_archive_goes_along (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SpCloudImage) made = make_with_container (&fixture->cloud);
  g_autofree char *state = g_build_filename (fixture->cloud.dir, "state", NULL);
  g_autofree char *to = g_build_filename (fixture->cloud.dir, "exported", NULL);
  g_autofree char *plain = g_build_filename (fixture->cloud.dir, "plain", NULL);
  g_autofree char *stray = g_build_filename (fixture->cloud.dir, "more", "container.tar", NULL);
  g_autofree char *more = g_path_get_dirname (stray);
  const SpCloudParts parts = cloud_fixture_parts (&fixture->cloud);
  g_autoptr (SpCloudImage) kept = sp_cloud_image_import (made, state, NULL);
  g_autoptr (SpCloudImage) exported = NULL;
  g_autoptr (SpCloudImage) service = sp_cloud_image_make (&parts, plain, NULL);
  SpImagePart found = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (sp_cloud_image_export (kept, to, NULL));
  exported = sp_cloud_image_open (to, NULL);
  g_assert_cmpstr (exported->id, ==, made->id);
  g_assert_true (sp_cloud_image_container (state, made->id, &found, &error));
  g_assert_cmpstr (found.path, ==, kept->container.path);
  g_assert_cmpstr (found.sha256, ==, made->container.sha256);
  sp_image_part_clear (&found);
  g_assert_true (sp_image_set_remove (state, made->id, NULL));
  g_assert_false (g_file_test (kept->dir, G_FILE_TEST_EXISTS));
  cloud_write (service->dir, "container.tar", "of nobody");
  g_assert_true (sp_cloud_image_export (service, more, NULL));
  g_assert_false (g_file_test (stray, G_FILE_TEST_EXISTS));
}

/* What a start looks at: the id stands for the manifest, and that for the archive. */
static void
test_a_start_takes_the_archive_of_the_id (Fixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "container.tar", "manifest" };
  g_autoptr (SpCloudImage) made = make_with_container (&fixture->cloud);
  g_autofree char *state = g_build_filename (fixture->cloud.dir, "state", NULL);
  g_autofree char *plain = g_build_filename (fixture->cloud.dir, "plain", NULL);
  const SpCloudParts parts = cloud_fixture_parts (&fixture->cloud);
  g_autoptr (SpCloudImage) service = sp_cloud_image_make (&parts, plain, NULL);
  g_autoptr (SpCloudImage) kept = sp_cloud_image_import (made, state, NULL);
  g_autoptr (SpCloudImage) other = sp_cloud_image_import (service, state, NULL);
  g_autoptr (GError) error = NULL;
  SpImagePart found = { 0 };

  g_assert_false (sp_cloud_image_container (state, other->id, &found, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = g_build_filename (kept->dir, names[i], NULL);
    g_autofree char *text = NULL;
    g_autofree char *longer = NULL;

    g_clear_error (&error);
    g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
    longer = g_strconcat (text, "\n", NULL);
    cloud_write (kept->dir, names[i], longer);
    g_assert_false (sp_cloud_image_container (state, made->id, &found, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
    sp_image_part_clear (&found);
    cloud_write (kept->dir, names[i], text);
  }
}

/* The engine is there before the daemon is installed; all else is the same. */
static void
test_the_engine_comes_first (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) with = sp_cloud_template_default (SP_CLOUD_USER_DATA, SP_CLOUD_IN_CONTAINER);
  g_autoptr (GBytes) without = sp_cloud_template_default (SP_CLOUD_USER_DATA, SP_CLOUD_SERVICE);
  gsize length = g_bytes_get_size (without);
  g_autofree char *text = g_strndup (g_bytes_get_data (with, NULL), g_bytes_get_size (with));
  g_autofree char *plain = g_strndup (g_bytes_get_data (without, NULL), length);
  const char *runcmd = strstr (plain, "\nruncmd:\n") + strlen ("\nruncmd:\n");
  const char *engine = strstr (text, "podman");

  g_assert_null (strstr (plain, "podman"));
  g_assert_cmpint (strncmp (text, plain, (gsize) (runcmd - plain)), ==, 0);
  g_assert_true (g_str_has_suffix (text, runcmd));
  g_assert_true (engine != NULL && engine < strstr (text, "/opt/secret-proxy"));
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *path;
    void (*run) (Fixture *, gconstpointer);
  } tests[] = {
    { "/cloud-image/the-same-parts-are-the-same-image", test_made_and_opened },
    { "/cloud-image/a-changed-part-is-named", test_changed_part_is_named },
    { "/cloud-image/a-wrong-checksum-leaves-nothing", test_wrong_checksum_leaves_nothing },
    { "/cloud-image/a-base-with-a-backing-file-is-refused",
      test_base_with_a_backing_file_is_refused },
    { "/cloud-image/a-compressed-base-becomes-a-plain-disk",
      test_compressed_base_becomes_a_plain_disk },
    { "/cloud-image/a-disk-never-shrinks", test_disk_never_shrinks },
    { "/cloud-image/kinds-are-kept-apart", test_kinds_are_kept_apart },
    { "/cloud-image/an-administrators-templates-come-first", test_own_templates },
    { "/cloud-image/a-service-is-not-told-of", test_a_service_is_not_told_of },
    { "/cloud-image/the-archive-of-a-container-is-a-part", test_the_archive_is_a_part },
    { "/cloud-image/the-newest-of-a-runtime", test_newest_of_a_runtime },
    { "/cloud-image/the-same-templates-by-their-manifest", test_same_templates },
    { "/cloud-image/a-manifest-that-fits-no-runtime-is-refused",
      test_a_manifest_that_fits_no_runtime },
    { "/cloud-image/the-archive-goes-where-the-image-goes", test_the_archive_goes_along },
    { "/cloud-image/a-start-takes-the-archive-of-the-id",
      test_a_start_takes_the_archive_of_the_id },
    { "/cloud-image/the-engine-comes-before-the-daemon", test_the_engine_comes_first },
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
  return g_test_run ();
}
