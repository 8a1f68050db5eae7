/* fetch.c - fetch.h: the cache, what a broken connection left, and the checksum
 *
 * What must stay true: a file under its final name has been flushed and has had its checksum; only one process
 * writes to a partial file at a time.
 */
#include "host/cloud/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"
#include "base/random.h"
#include "host/cloud/fetch-http.h"

#define MAX_SIZE (G_GUINT64_CONSTANT (8) << 30)
#define STALL_S 30u
#define LEAST_RATE 1024u /* bytes a second */
#define BUFFER (256u * 1024u)
#define MAX_TAG 1024u
/* A connection that breaks is made anew so often, as long as each brought something. */
#define TRIES 5u
#define DIGEST_LENGTH 64u

typedef struct {
  const SpFetch *fetch;
  char *path, *part, *tag; /* the file; what there is of it; of which file that is (If-Range) */
  int fd;                  /* of the part; -1: not open */
  guint64 have;            /* bytes in it */
  guint64 max_size;
  guint stall_s;
  gint64 told, window; /* monotonic: of the last progress; of when `came` began */
  guint64 came;
} Fetching;

static void
fetching_clear (Fetching *fetching)
{
  if (fetching->fd >= 0)
    (void) close (fetching->fd);
  g_free (fetching->path);
  g_free (fetching->part);
  g_free (fetching->tag);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Fetching, fetching_clear)

char *
sp_fetch_cache (void)
{
  return g_build_filename (g_get_user_cache_dir (), "secret-proxy", "images", NULL);
}

static gboolean
fail_errno (GError **error, const char *what, const char *path)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot %s %s: %s", what, path,
               g_strerror (errno));
  return FALSE;
}

/* ---- the checksum -------------------------------------------------------------------------------------- */

/* By GnuTLS, which knows the processor's own way. */
static gboolean
has_checksum (const char *path, const char *wanted)
{
  g_autoptr (GMappedFile) file = g_mapped_file_new (path, FALSE, NULL);
  guint8 digest[DIGEST_LENGTH];
  g_autofree char *found = NULL;

  if (file == NULL || gnutls_hash_fast (GNUTLS_DIG_SHA512, g_mapped_file_get_contents (file),
                                        g_mapped_file_get_length (file), digest) != 0)
    return FALSE;
  found = sp_hex (digest, sizeof digest);
  return g_str_equal (found, wanted);
}

static void
forget_part (const Fetching *fetching)
{
  (void) g_unlink (fetching->part);
  (void) g_unlink (fetching->tag);
}

/* All is there: it becomes the file, or nothing. */
static gboolean
settle (const Fetching *fetching, GError **error)
{
  if (fsync (fetching->fd) != 0)
    return fail_errno (error, "flush", fetching->part);
  if (!has_checksum (fetching->part, fetching->fetch->sha512)) {
    forget_part (fetching);
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                 "what came from %s does not have the SHA-512 %.16s…: it is another file, or was "
                 "damaged on its way, and is not used",
                 fetching->fetch->url, fetching->fetch->sha512);
    return FALSE;
  }
  if (g_rename (fetching->part, fetching->path) != 0)
    return fail_errno (error, "write", fetching->path);
  (void) g_unlink (fetching->tag);
  return TRUE;
}

/* ---- the part ------------------------------------------------------------------------------------------ */

static gboolean
open_part (Fetching *fetching, GError **error)
{
  struct stat st;

  fetching->fd = open (fetching->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fetching->fd < 0 || fchmod (fetching->fd, 0600) != 0 || fstat (fetching->fd, &st) != 0)
    return fail_errno (error, "open", fetching->part);
  if (flock (fetching->fd, LOCK_EX | LOCK_NB) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "another process fetches %s just now: wait until it has ended",
                 fetching->fetch->url);
    return FALSE;
  }
  fetching->have = (guint64) st.st_size;
  return TRUE;
}

/* Begin anew. */
static gboolean
empty_part (Fetching *fetching, GError **error)
{
  fetching->have = 0;
  if (ftruncate (fetching->fd, 0) == 0)
    return TRUE;
  return fail_errno (error, "write to", fetching->part);
}

static char *
read_tag (const Fetching *fetching)
{
  g_autofree char *text = NULL;
  gsize length = 0;

  if (!g_file_get_contents (fetching->tag, &text, &length, NULL) || length == 0 ||
      length > MAX_TAG || strlen (text) != length || strpbrk (text, "\r\n") != NULL)
    return NULL;
  return g_steal_pointer (&text);
}

static void
write_tag (const Fetching *fetching, const char *validator)
{
  if (validator == NULL || !g_file_set_contents_full (fetching->tag, validator, -1,
                                                      G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL))
    (void) g_unlink (fetching->tag);
}

/* ---- bytes --------------------------------------------------------------------------------------------- */

static gboolean
too_large (const Fetching *fetching, GError **error)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
               "%s has more than %" G_GUINT64_FORMAT " MiB", fetching->fetch->url,
               fetching->max_size >> 20);
  return FALSE;
}

/* A byte now and then does not count as going on. */
static gboolean
check_pace (Fetching *fetching, gsize n, GError **error)
{
  gint64 now = g_get_monotonic_time ();

  fetching->came += n;
  if (now - fetching->window < (gint64) fetching->stall_s * G_USEC_PER_SEC)
    return TRUE;
  if (fetching->came < (guint64) LEAST_RATE * fetching->stall_s) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT,
                 "%s sends less than %u bytes a second; what has come is kept: try again later",
                 fetching->fetch->url, LEAST_RATE);
    return FALSE;
  }
  fetching->window = now;
  fetching->came = 0;
  return TRUE;
}

static void
tell (Fetching *fetching, guint64 total)
{
  gint64 now = g_get_monotonic_time ();

  if (fetching->fetch->progress == NULL ||
      (now - fetching->told < G_USEC_PER_SEC && fetching->have != total))
    return;
  fetching->told = now;
  fetching->fetch->progress (fetching->have, total, fetching->fetch->data);
}

static gboolean
append (Fetching *fetching, const char *bytes, gsize length, GError **error)
{
  if (fetching->have + length > fetching->max_size)
    return too_large (fetching, error);
  while (length > 0) {
    gssize n = pwrite (fetching->fd, bytes, length, (off_t) fetching->have);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return fail_errno (error, "write to", fetching->part);
    bytes += n;
    length -= (gsize) n;
    fetching->have += (guint64) n;
  }
  return TRUE;
}

/* Up to the end of what this connection brings. */
static gboolean
receive (Fetching *fetching, SpHttpBody *body, GError **error)
{
  g_autofree char *buffer = g_malloc (BUFFER);
  g_autoptr (GError) local = NULL;
  gssize n;

  fetching->window = g_get_monotonic_time ();
  fetching->came = 0;
  while ((n = g_input_stream_read (body->stream, buffer, BUFFER, NULL, &local)) > 0) {
    if (!append (fetching, buffer, (gsize) n, error) || !check_pace (fetching, (gsize) n, error))
      return FALSE;
    tell (fetching, body->total);
  }
  if (n < 0) {
    sp_http_body_explain (error, fetching->fetch->url, local);
    return FALSE;
  }
  if (fetching->have >= body->total)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
               "%s ended after %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
               " bytes; what has come is kept: try again",
               fetching->fetch->url, fetching->have, body->total);
  return FALSE;
}

/* ---- one connection --------------------------------------------------------------------------------------- */

/* Whether the body goes on where the part ends; else it begins anew. */
static gboolean
place_body (Fetching *fetching, const SpHttpBody *body, GError **error)
{
  if (body->total > fetching->max_size)
    return too_large (fetching, error);
  if (body->status == SOUP_STATUS_PARTIAL_CONTENT && body->start == fetching->have)
    return TRUE;
  if (body->status != SOUP_STATUS_OK) {
    forget_part (fetching);
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
                 "%s does not go on where it ended (HTTP %u): try again, from the beginning",
                 fetching->fetch->url, body->status);
    return FALSE;
  }
  write_tag (fetching, body->validator);
  return empty_part (fetching, error);
}

static gboolean
connect_once (Fetching *fetching, GError **error)
{
  g_autofree char *tag = read_tag (fetching);
  g_auto (SpHttpBody) body = { 0 };

  /* Without a tag nobody knows whether it is still the same file. */
  if (tag == NULL && !empty_part (fetching, error))
    return FALSE;
  return sp_http_body_open (&body, fetching->fetch->url, fetching->have, tag, FALSE,
                            fetching->stall_s, error) &&
         place_body (fetching, &body, error) && receive (fetching, &body, error);
}

static gboolean
is_broken (const GError *error)
{
  return g_error_matches (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
}

static gboolean
fetch_all (Fetching *fetching, GError **error)
{
  for (guint i = 1;; i++) {
    guint64 before = fetching->have;
    g_autoptr (GError) local = NULL;

    if (connect_once (fetching, &local))
      return settle (fetching, error);
    if (i >= TRIES || fetching->have <= before || !is_broken (local)) {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  }
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

static gboolean
is_cached (const Fetching *fetching)
{
  if (!g_file_test (fetching->path, G_FILE_TEST_IS_REGULAR))
    return FALSE;
  if (has_checksum (fetching->path, fetching->fetch->sha512))
    return TRUE;
  (void) g_unlink (fetching->path);
  return FALSE;
}

static gboolean
begin (Fetching *fetching, GError **error)
{
  const SpFetch *fetch = fetching->fetch;
  g_autofree char *usual = fetch->cache ? NULL : sp_fetch_cache ();
  const char *cache = fetch->cache ? fetch->cache : usual;

  if (g_mkdir_with_parents (cache, 0700) != 0)
    return fail_errno (error, "make", cache);
  fetching->max_size = fetch->max_size ? fetch->max_size : MAX_SIZE;
  fetching->stall_s = fetch->stall_s ? fetch->stall_s : STALL_S;
  fetching->path = g_strdup_printf ("%s/%s.qcow2", cache, fetch->sha512);
  fetching->part = g_strdup_printf ("%s/%s.part", cache, fetch->sha512);
  fetching->tag = g_strdup_printf ("%s/%s.tag", cache, fetch->sha512);
  return TRUE;
}

char *
sp_fetch_file (const SpFetch *fetch, GError **error)
{
  g_auto (Fetching) fetching = { .fetch = fetch, .fd = -1 };

  if (!begin (&fetching, error))
    return NULL;
  if (is_cached (&fetching))
    return g_steal_pointer (&fetching.path);
  if (!open_part (&fetching, error))
    return NULL;
  /* Somebody else may just have ended. */
  if (is_cached (&fetching) || fetch_all (&fetching, error))
    return g_steal_pointer (&fetching.path);
  return NULL;
}

char *
sp_fetch_text (const char *url, gsize max, GError **error)
{
  g_auto (SpHttpBody) body = { 0 };
  g_autofree char *buffer = g_malloc (max + 1);
  g_autoptr (GError) local = NULL;
  gsize n = 0;

  if (!sp_http_body_open (&body, url, 0, NULL, TRUE, STALL_S, error))
    return NULL;
  if (!g_input_stream_read_all (body.stream, buffer, max + 1, &n, NULL, &local)) {
    sp_http_body_explain (error, url, local);
    return NULL;
  }
  if (n > max || memchr (buffer, '\0', n) != NULL || !g_utf8_validate_len (buffer, n, NULL)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
                 "what %s answers is no text of at most %" G_GSIZE_FORMAT " bytes", url, max);
    return NULL;
  }
  buffer[n] = '\0';
  return g_steal_pointer (&buffer);
}
