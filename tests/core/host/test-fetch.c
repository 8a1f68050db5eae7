/* test-fetch.c - cloud/fetch.h against a server that misbehaves */
#include "host/cloud/fetch.h"

#include <glib/gstdio.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/problem.h"
#include "cloud-fixture.h"
#include "host/cloud/catalog.h"
#include "http-fake.h"

#define SIZE (3u * 1024u * 1024u)
/* Half-times until this is reached: the tries that a fetch makes by itself. */
#define TRIES 5u

typedef struct {
  char *dir;
  HttpFake *server;
  GBytes *file;
  char *sha512;
  SpFetch fetch;
  guint told;
  guint64 last;
} Fixture;

static void
on_progress (guint64 done, guint64 total, gpointer data)
{
  Fixture *fixture = data;

  fixture->told++;
  fixture->last = done;
  g_assert_true (total == 0 || total == SIZE);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  guint8 *bytes = g_malloc (SIZE);

  for (guint i = 0; i < SIZE; i++)
    bytes[i] = (guint8) (i * 2654435761u >> 24);
  fixture->file = g_bytes_new_take (bytes, SIZE);
  fixture->sha512 = g_compute_checksum_for_bytes (G_CHECKSUM_SHA512, fixture->file);
  fixture->dir = g_dir_make_tmp ("sp-fetch-XXXXXX", NULL);
  fixture->server = http_fake_new (fixture->file, NULL);
  fixture->fetch = (SpFetch){ .url = http_fake_url (fixture->server),
                              .sha512 = fixture->sha512,
                              .cache = fixture->dir,
                              .stall_s = 1,
                              .progress = on_progress,
                              .data = fixture };
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  http_fake_free (fixture->server);
  CLOUD_RUN ("rm", "-rf", fixture->dir);
  g_bytes_unref (fixture->file);
  g_free (fixture->sha512);
  g_free (fixture->dir);
}

static void
assert_fetched (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = sp_fetch_file (&fixture->fetch, &error);
  g_autofree char *text = NULL;
  gsize length = 0;
  struct stat st;

  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (path, &text, &length, NULL));
  g_assert_cmpmem (text, length, g_bytes_get_data (fixture->file, NULL), SIZE);
  g_assert_cmpint (g_stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
}

static void
assert_fails (Fixture *fixture, SpProblemCode code, const char *words)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_fetch_file (&fixture->fetch, &error));
  g_assert_error (error, SP_PROBLEM, (int) code);
  if (strstr (error->message, words) == NULL)
    g_error ("'%s' does not say '%s'", error->message, words);
}

/* What there is of it; -1: nothing. */
static goffset
part_size (const Fixture *fixture)
{
  g_autofree char *part = g_strdup_printf ("%s/%s.part", fixture->dir, fixture->sha512);
  struct stat st;

  return g_stat (part, &st) == 0 ? st.st_size : -1;
}

/* As a connection that ended in the middle leaves it. */
static void
leave_half (Fixture *fixture, const char *tag)
{
  g_autofree char *part = g_strdup_printf ("%s/%s.part", fixture->dir, fixture->sha512);
  g_autofree char *tag_path = g_strdup_printf ("%s/%s.tag", fixture->dir, fixture->sha512);

  g_assert_true (
      g_file_set_contents (part, g_bytes_get_data (fixture->file, NULL), SIZE / 2, NULL));
  if (tag != NULL)
    g_assert_true (g_file_set_contents (tag_path, tag, -1, NULL));
}

/* ---- what works ------------------------------------------------------------------------------------------ */

static void
test_second_run_takes_the_cache (Fixture *fixture, gconstpointer data)
{
  assert_fetched (fixture);
  g_assert_cmpuint (fixture->told, >=, 1);
  g_assert_cmpuint (fixture->last, ==, SIZE);
  assert_fetched (fixture);
  g_assert_cmpuint (http_fake_requests (fixture->server), ==, 1);
  g_assert_cmpint (part_size (fixture), ==, -1);
}

static void
test_damaged_cache_is_fetched_anew (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_strdup_printf ("%s/%s.qcow2", fixture->dir, fixture->sha512);

  g_assert_true (g_file_set_contents (path, "damaged", -1, NULL));
  assert_fetched (fixture);
  g_assert_cmpuint (http_fake_requests (fixture->server), ==, 1);
}

static void
test_goes_on_where_it_ended (Fixture *fixture, gconstpointer data)
{
  g_autofree char *range = NULL;

  leave_half (fixture, "\"one\"");
  assert_fetched (fixture);
  range = http_fake_range (fixture->server);
  g_assert_cmpstr (range, ==, "bytes=1572864-");
}

static void
test_broken_connections_are_made_anew (Fixture *fixture, gconstpointer data)
{
  http_fake_set (fixture->server, HTTP_CUT);
  assert_fails (fixture, SP_PROBLEM_UNREACHABLE, "what has come is kept");
  /* Each brings half of what is left, and what has come is kept. */
  g_assert_cmpuint (http_fake_requests (fixture->server), ==, TRIES);
  g_assert_cmpint (part_size (fixture), >, SIZE / 10 * 9);
  http_fake_set (fixture->server, HTTP_GOOD);
  assert_fetched (fixture);
}

static void
test_another_file_begins_anew (Fixture *fixture, gconstpointer data)
{
  leave_half (fixture, "\"one\"");
  http_fake_set (fixture->server, HTTP_CHANGED);
  assert_fetched (fixture);
}

static void
test_without_ranges_it_begins_anew (Fixture *fixture, gconstpointer data)
{
  g_autofree char *range = NULL;

  leave_half (fixture, NULL);
  http_fake_set (fixture->server, HTTP_NO_RANGES);
  assert_fetched (fixture);
  range = http_fake_range (fixture->server);
  g_assert_cmpstr (range, ==, "");
}

static void
test_redirect_is_followed (Fixture *fixture, gconstpointer data)
{
  http_fake_set (fixture->server, HTTP_REDIRECT);
  assert_fetched (fixture);
  g_assert_cmpuint (http_fake_requests (fixture->server), ==, 2);
}

/* ---- what is refused -------------------------------------------------------------------------------------- */

static void
test_wrong_checksum_leaves_nothing (Fixture *fixture, gconstpointer data)
{
  g_autofree char *wrong = g_strnfill (128, 'a');

  fixture->fetch.sha512 = wrong;
  assert_fails (fixture, SP_PROBLEM_INTEGRITY, "does not have the SHA-512 aaaaaaaaaaaaaaaa");
  {
    g_autoptr (GDir) dir = g_dir_open (fixture->dir, 0, NULL);

    g_assert_cmpstr (g_dir_read_name (dir), ==, NULL);
  }
}

/* The half was not of this file, whatever the server says. */
static void
test_wrong_half_leaves_nothing (Fixture *fixture, gconstpointer data)
{
  g_autofree char *part = g_strdup_printf ("%s/%s.part", fixture->dir, fixture->sha512);

  leave_half (fixture, "\"one\"");
  g_assert_cmpint (truncate (part, 0), ==, 0);
  g_assert_cmpint (truncate (part, SIZE / 2), ==, 0);
  assert_fails (fixture, SP_PROBLEM_INTEGRITY, "is not used");
  g_assert_cmpint (part_size (fixture), ==, -1);
  assert_fetched (fixture);
}

static void
test_wrong_part (Fixture *fixture, gconstpointer data)
{
  leave_half (fixture, "\"one\"");
  http_fake_set (fixture->server, HTTP_WRONG_PART);
  assert_fails (fixture, SP_PROBLEM_UNREACHABLE, "does not go on where it ended");
  http_fake_set (fixture->server, HTTP_GOOD);
  assert_fetched (fixture);
}

static void
test_loop (Fixture *fixture, gconstpointer data)
{
  http_fake_set (fixture->server, HTTP_LOOP);
  assert_fails (fixture, SP_PROBLEM_UNREACHABLE, "leads on more than 5 times");
  g_assert_cmpuint (http_fake_requests (fixture->server), ==, 6);
}

static void
test_too_large (Fixture *fixture, gconstpointer data)
{
  fixture->fetch.max_size = SIZE - 1;
  assert_fails (fixture, SP_PROBLEM_TOO_LARGE, "has more than");
}

static void
test_silent (Fixture *fixture, gconstpointer data)
{
  http_fake_set (fixture->server, HTTP_SILENT);
  assert_fails (fixture, SP_PROBLEM_TIMED_OUT, "cannot fetch");
}

static void
test_drip (Fixture *fixture, gconstpointer data)
{
  http_fake_set (fixture->server, HTTP_DRIP);
  assert_fails (fixture, SP_PROBLEM_TIMED_OUT, "less than 1024 bytes a second");
}

static void
test_missing (Fixture *fixture, gconstpointer data)
{
  http_fake_set (fixture->server, HTTP_MISSING);
  assert_fails (fixture, SP_PROBLEM_UNREACHABLE, "HTTP 404");
}

static void
test_other_addresses (Fixture *fixture, gconstpointer data)
{
  static const char *const urls[] = { "file:///etc/passwd", "ftp://127.0.0.1/x", "https://", "x" };

  for (gsize i = 0; i < G_N_ELEMENTS (urls); i++) {
    fixture->fetch.url = urls[i];
    assert_fails (fixture, SP_PROBLEM_USAGE, "is no address");
  }
}

static void
test_two_at_once (Fixture *fixture, gconstpointer data)
{
  g_autofree char *part = g_strdup_printf ("%s/%s.part", fixture->dir, fixture->sha512);
  const char *argv[] = { "flock", part, "sh", "-c", "echo held; read _", NULL };
  g_autoptr (GError) error = NULL;
  GPid pid;
  int in, out;
  char line[5];

  g_assert_true (g_spawn_async_with_pipes (NULL, (char **) argv, NULL,
                                           G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                                           NULL, &pid, &in, &out, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (read (out, line, sizeof line), ==, sizeof line);
  assert_fails (fixture, SP_PROBLEM_CONFLICT, "another process fetches");
  g_assert_true (g_close (in, NULL));
  g_assert_true (g_close (out, NULL));
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  assert_fetched (fixture);
}

/* ---- HTTPS ------------------------------------------------------------------------------------------------ */

static void
test_never_from_https_to_http (Fixture *fixture, gconstpointer data)
{
  g_autofree char *cert = g_build_filename (fixture->dir, "cert.pem", NULL);
  g_autofree char *key = g_build_filename (fixture->dir, "key.pem", NULL);
  g_autoptr (GTlsCertificate) certificate = NULL;
  g_autoptr (GTlsDatabase) trusted = NULL;
  g_autoptr (GError) error = NULL;
  HttpFake *server;

  CLOUD_RUN ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", cert,
             "-addext", "subjectAltName=IP:127.0.0.1");
  certificate = g_tls_certificate_new_from_files (cert, key, &error);
  g_assert_no_error (error);
  trusted = g_tls_file_database_new (cert, &error);
  g_assert_no_error (error);
  server = http_fake_new (fixture->file, certificate);
  fixture->fetch.url = http_fake_url (server);
  /* Nobody vouches for it yet. */
  assert_fails (fixture, SP_PROBLEM_UNREACHABLE, "cannot fetch https://");
  g_tls_backend_set_default_database (g_tls_backend_get_default (), trusted);
  http_fake_set (server, HTTP_TO_HTTP);
  assert_fails (fixture, SP_PROBLEM_INTEGRITY, "leads from https to http");
  http_fake_set (server, HTTP_REDIRECT);
  assert_fetched (fixture);
  g_tls_backend_set_default_database (g_tls_backend_get_default (), NULL);
  http_fake_free (server);
}

static void
test_checksums_come_over_https_only (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_fetch_text ("http://192.0.2.1/SHA512SUMS", 1024, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
}

static void
test_text_is_bounded (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_fetch_text (http_fake_url (fixture->server), 1024, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE);
}

/* ---- checksums --------------------------------------------------------------------------------------------- */

static void
test_sums (void)
{
  g_autofree char *one = g_strnfill (128, '1');
  g_autofree char *two = g_strnfill (128, '2');
  g_autofree char *upper = g_strnfill (128, 'A');
  g_autofree char *lower = g_strnfill (128, 'a');
  g_autofree char *list = g_strdup_printf (
      "# sums\n%s  other.qcow2\r\n%s *x.qcow2\n%s  x.qcow2.asc\n", one, two, upper);
  g_autofree char *found = sp_cloud_sums_find (list, "x.qcow2");
  g_autofree char *bare = g_strdup_printf ("%s\n", upper);
  g_autofree char *alone = sp_cloud_sums_find (bare, "x.qcow2");

  g_assert_cmpstr (found, ==, two);
  g_assert_cmpstr (alone, ==, lower);
  g_assert_null (sp_cloud_sums_find (list, "y.qcow2"));
  g_assert_null (sp_cloud_sums_find ("1234  x.qcow2\n", "x.qcow2"));
  g_assert_null (sp_cloud_sums_find ("", "x.qcow2"));
}

static void
assert_unknown (const char *what, const char *sha512, const char *words)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (sp_cloud_base_resolve (what, sha512, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_USAGE);
  g_assert_nonnull (strstr (error->message, words));
}

/* A checksum that is not known is never made up. */
static void
test_catalog (void)
{
  static const char *const names[] = { "alpine", "debian" };
  g_autofree char *sha512 = g_strnfill (128, 'B');

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (SpCloudBase) vendor = sp_cloud_base_resolve (names[i], NULL, NULL);
    g_autoptr (SpCloudBase) given = sp_cloud_base_resolve (names[i], sha512, NULL);

    g_assert_null (vendor->sha512);
    g_assert_true (g_str_has_prefix (vendor->url, "https://"));
    g_assert_true (g_str_has_prefix (vendor->sums, "https://"));
    g_assert_null (given->sums);
    g_assert_cmpint (given->sha512[0], ==, 'b');
  }
  assert_unknown ("https://127.0.0.1/x.qcow2", NULL, "--sha512");
  assert_unknown ("debian", "1234", "128 hex digits");
  assert_unknown ("fedora", NULL, "alpine, debian");
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *path;
    void (*run) (Fixture *, gconstpointer);
  } tests[] = {
    { "/fetch/a-second-run-takes-the-cache", test_second_run_takes_the_cache },
    { "/fetch/a-damaged-cache-is-fetched-anew", test_damaged_cache_is_fetched_anew },
    { "/fetch/goes-on-where-it-ended", test_goes_on_where_it_ended },
    { "/fetch/broken-connections-are-made-anew", test_broken_connections_are_made_anew },
    { "/fetch/another-file-begins-anew", test_another_file_begins_anew },
    { "/fetch/without-ranges-it-begins-anew", test_without_ranges_it_begins_anew },
    { "/fetch/a-redirect-is-followed", test_redirect_is_followed },
    { "/fetch/a-wrong-checksum-leaves-nothing", test_wrong_checksum_leaves_nothing },
    { "/fetch/a-wrong-half-leaves-nothing", test_wrong_half_leaves_nothing },
    { "/fetch/a-wrong-part-is-not-appended", test_wrong_part },
    { "/fetch/a-loop-of-redirects-ends", test_loop },
    { "/fetch/what-is-too-large-is-refused", test_too_large },
    { "/fetch/silence-ends-it", test_silent },
    { "/fetch/a-byte-now-and-then-ends-it", test_drip },
    { "/fetch/what-is-not-there", test_missing },
    { "/fetch/other-addresses-are-refused", test_other_addresses },
    { "/fetch/one-at-a-time", test_two_at_once },
    { "/fetch/never-from-https-to-http", test_never_from_https_to_http },
    { "/fetch/a-text-is-bounded", test_text_is_bounded },
  };

  /* All is on loopback; and the usual one throws exceptions inside, which sanitizers of C programs don't know. */
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
  g_test_add_func ("/fetch/checksums-come-over-https-only", test_checksums_come_over_https_only);
  g_test_add_func ("/fetch/checksums-are-found-by-name", test_sums);
  g_test_add_func ("/fetch/no-checksum-is-made-up", test_catalog);
  return g_test_run ();
}
