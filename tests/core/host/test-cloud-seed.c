/* test-cloud-seed.c - cloud/seed.h: what a seed says, and that no value can end what it stands in */
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/problem.h"
#include "cloud-fixture.h"
#include "host/cloud/seed.h"

#define HOST_KEY "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"

static const char *const keys[] = { "ssh-ed25519 AAAA one", "ssh-ed25519 BBBB two", NULL };

static SpCloudSeed
a_seed (SpSecret *host_key)
{
  return (SpCloudSeed){
    .instance_id = "iid-1",
    .ssh_keys = keys,
    .host_key = host_key,
    .host_public = "ssh-ed25519 CCCC host",
    .mac = "52:54:00:00:00:01",
  };
}

static SpSecret *
a_host_key (void)
{
  return sp_secret_new_from (HOST_KEY, strlen (HOST_KEY));
}

static char *
fill (const SpCloudSeed *seed, const char *template)
{
  g_autoptr (GError) error = NULL;
  char *text = sp_cloud_seed_fill (seed, "a-template", template, &error);

  g_assert_no_error (error);
  return text;
}

static void
test_values (void)
{
  g_autoptr (SpSecret) host_key = a_host_key ();
  SpCloudSeed seed = a_seed (host_key);
  g_autofree char *dhcp =
      fill (&seed, "@instance-id@ @hostname@ @mac@ @dhcp@ @addresses@ @routes@");
  g_autofree char *ssh = fill (&seed, "@ssh-keys@");
  g_autofree char *address = NULL;

  g_assert_cmpstr (dhcp, ==, "\"iid-1\" \"vault\" \"52:54:00:00:00:01\" true [] []");
  g_assert_cmpstr (ssh, ==, "[\"ssh-ed25519 AAAA one\", \"ssh-ed25519 BBBB two\"]");
  seed.address = "10.0.0.5/24";
  seed.gateway = "10.0.0.1";
  seed.dns = "10.0.0.2";
  address = fill (&seed, "@dhcp@ @addresses@ @routes@ @dns@");
  g_assert_cmpstr (address, ==,
                   "false [\"10.0.0.5/24\"] [{\"to\": \"0.0.0.0/0\", \"via\": \"10.0.0.1\"}] "
                   "[\"10.0.0.2\"]");
}

static void
test_at_signs (void)
{
  g_autoptr (SpSecret) host_key = a_host_key ();
  SpCloudSeed seed = a_seed (host_key);
  g_autofree char *plain = fill (&seed, "a@b.example @ @@ x@Y@ @hostname@@hostname");
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (plain, ==, "a@b.example @ @@ x@Y@ \"vault\"@hostname");
  g_assert_null (sp_cloud_seed_fill (&seed, "user-data", "host: @hostnam@", &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG);
  g_assert_nonnull (strstr (error->message, "user-data"));
  g_assert_nonnull (strstr (error->message, "@hostnam@"));
  g_assert_nonnull (strstr (error->message, "@hostname@"));
}

/* What is put in comes back as what it was, whatever is in it. */
static void
test_escaping (void)
{
  static const char *const hostile[] = {
    "\"\nruncmd: [reboot]\n\"", "\\", "' # x", "@hostname@", "\t\x01: - {}[]&*!|>%", "Ünïcødé \"}"
  };
  g_autoptr (SpSecret) host_key = a_host_key ();

  for (gsize i = 0; i < G_N_ELEMENTS (hostile); i++) {
    const char *const one[] = { hostile[i], NULL };
    SpCloudSeed seed = a_seed (host_key);
    g_autofree char *text = NULL;
    g_autoptr (JsonNode) node = NULL;
    g_autoptr (GError) error = NULL;

    seed.ssh_keys = one;
    text = fill (&seed, "{\"keys\": @ssh-keys@}");
    g_assert_null (strchr (text, '\n'));
    node = sp_json_parse (text, strlen (text), 0, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (json_array_get_string_element (
                         json_object_get_array_member (json_node_get_object (node), "keys"), 0),
                     ==, hostile[i]);
  }
}

static char *
read_back (const char *iso, const char *name)
{
  const char *argv[] = { "isoinfo", "-R", "-i", iso, "-x", name, NULL };
  char *out = NULL;
  g_autoptr (GError) error = NULL;
  int status = -1;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, NULL, &status,
                &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  return out;
}

static void
test_what_is_on_it (void)
{
  CloudFixture fixture;
  g_autoptr (SpSecret) host_key = a_host_key ();
  const SpCloudSeed seed = a_seed (host_key);
  g_autoptr (GError) error = NULL;
  g_autoptr (SpCloudImage) image = NULL;
  g_autofree char *iso = NULL, *files = NULL, *user = NULL, *meta = NULL, *label = NULL;
  struct stat st;

  cloud_fixture_set_up (&fixture);
  image = cloud_fixture_make (&fixture);
  iso = g_build_filename (fixture.dir, "seed.iso", NULL);
  files = g_strconcat (iso, ".files", NULL);
  /* Twice: the second takes the place of the first. */
  for (guint i = 0; i < 2; i++)
    g_assert_true (sp_cloud_seed_write (image, &seed, iso, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (iso, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
  g_assert_false (g_file_test (files, G_FILE_TEST_EXISTS));
  user = read_back (iso, "/user-data");
  meta = read_back (iso, "/meta-data");
  g_assert_true (g_str_has_prefix (user, "#cloud-config\n"));
  g_assert_nonnull (strstr (user, "[\"ssh-ed25519 AAAA one\", \"ssh-ed25519 BBBB two\"]"));
  g_assert_nonnull (strstr (user, "PRIVATE KEY-----\\nAAAA\\n"));
  g_assert_null (strchr (meta, '@'));
  g_assert_nonnull (strstr (meta, "instance-id: \"iid-1\""));
  /* The label is what cloud-init looks for. */
  g_assert_true (g_file_get_contents (iso, &label, NULL, NULL));
  g_assert_cmpint (memcmp (label + 32768 + 40, "cidata ", 7), ==, 0);
  CLOUD_RUN ("sh", "-c", "isoinfo -R -i \"$1\" -x /bundle.tar | cmp - \"$2\"", "sh", iso,
             image->bundle.path);
  cloud_fixture_clear (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cloud-seed/values-become-json", test_values);
  g_test_add_func ("/cloud-seed/an-unknown-word-is-an-error-and-other-at-signs-stay",
                   test_at_signs);
  g_test_add_func ("/cloud-seed/no-value-can-end-what-it-stands-in", test_escaping);
  g_test_add_func ("/cloud-seed/what-is-on-it", test_what_is_on_it);
  return g_test_run ();
}
