/* sink.c - source-sink.h
 *
 * What must stay true: every byte that is counted is hashed, and what is not written is a hole, hence a
 * zero; some space is left on the file system, since vaults that run live on it.
 */
#include "host/source/sink.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/problem.h"
#include "base/random.h"

#define BLOCK 4096u
#define HASH_LENGTH 32u
#define STRIDE (1024u * 1024u)
/* Of the file system; at most so many bytes. */
#define RESERVE_SHARE 20u
#define MAX_RESERVE (G_GUINT64_CONSTANT (256) << 20)
#define CHECK_EVERY (G_GUINT64_CONSTANT (32) << 20)

struct _SpSourceSink {
  SpSourceSinkSetup setup;
  gnutls_hash_hd_t hash;
  guint64 done, total;
  guint64 written, checked_at; /* bytes that are no hole; and when space was looked at */
};

static const guint8 zeros[STRIDE];

static gboolean
hash (SpSourceSink *sink, const guint8 *bytes, gsize length, GError **error)
{
  if (gnutls_hash (sink->hash, bytes, length) == 0)
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot compute a SHA-256");
  return FALSE;
}

SpSourceSink *
sp_source_sink_new (const SpSourceSinkSetup *setup, GError **error)
{
  g_autoptr (SpSourceSink) sink = g_new0 (SpSourceSink, 1);
  struct stat st;

  sink->setup = *setup;
  if (fstat (setup->out, &st) != 0 || !S_ISREG (st.st_mode) || st.st_size != 0 ||
      gnutls_hash_init (&sink->hash, GNUTLS_DIG_SHA256) != 0) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL,
                         "the copy must go into an empty file");
    return NULL;
  }
  return g_steal_pointer (&sink);
}

void
sp_source_sink_free (SpSourceSink *sink)
{
  if (sink == NULL)
    return;
  if (sink->hash != NULL)
    gnutls_hash_deinit (sink->hash, NULL);
  g_free (sink);
}

/* ---- space ---------------------------------------------------------------------------------------- */

static gboolean
fail_space (SpSourceSink *sink, guint64 missing, GError **error)
{
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", sink->setup.out);
  g_autofree char *path = g_file_read_link (link, NULL);
  g_autofree char *folder = path ? g_path_get_dirname (path) : g_strdup ("this machine");

  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE,
               "there is no room for the copy: free %" G_GUINT64_FORMAT
               " bytes on the file system of %s and try again",
               missing, folder);
  return FALSE;
}

/* How much the copy may still take; a file system that does not tell has room. */
static guint64
room (SpSourceSink *sink)
{
  struct statvfs st;
  guint64 free_bytes, reserve;

  if (fstatvfs (sink->setup.out, &st) != 0)
    return G_MAXUINT64;
  free_bytes = (guint64) st.f_bavail * st.f_frsize;
  reserve = MIN ((guint64) st.f_blocks * st.f_frsize / RESERVE_SHARE, MAX_RESERVE);
  return free_bytes > reserve ? free_bytes - reserve : 0;
}

/* What may still come at most, where nothing better is known. */
static guint64
outstanding (SpSourceSink *sink)
{
  guint64 end = sink->total > 0 ? sink->total : sink->setup.max_bytes;

  return end > sink->done ? end - sink->done : BLOCK;
}

static gboolean
check_room (SpSourceSink *sink, GError **error)
{
  if (sink->written < sink->checked_at + CHECK_EVERY)
    return TRUE;
  sink->checked_at = sink->written;
  return room (sink) > 0 || fail_space (sink, outstanding (sink), error);
}

gboolean
sp_source_sink_expect (SpSourceSink *sink, guint64 total, guint64 allocated, GError **error)
{
  guint64 needed = MIN (allocated, total), has = room (sink);

  sink->total = total;
  if (total > sink->setup.max_bytes) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
                 "it has %" G_GUINT64_FORMAT " bytes, more than the %" G_GUINT64_FORMAT
                 " that are allowed",
                 total, sink->setup.max_bytes);
    return FALSE;
  }
  return needed <= has || fail_space (sink, needed - has, error);
}

/* ---- bytes ---------------------------------------------------------------------------------------- */

/* Before the next @length bytes. */
static gboolean
may_go_on (SpSourceSink *sink, guint64 length, GError **error)
{
  if (length > sink->setup.max_bytes - sink->done) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
                 "it has more than the %" G_GUINT64_FORMAT " bytes that are allowed",
                 sink->setup.max_bytes);
    return FALSE;
  }
  if (g_get_monotonic_time () >= sink->setup.deadline) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT,
                 "copying takes too long: %" G_GUINT64_FORMAT " bytes have come", sink->done);
    return FALSE;
  }
  return TRUE;
}

static void
advance (SpSourceSink *sink, gsize length)
{
  sink->done += length;
  if (sink->setup.progress != NULL)
    sink->setup.progress (sink->done, sink->total, sink->setup.data);
}

static gboolean
write_at (SpSourceSink *sink, const guint8 *bytes, gsize length, guint64 offset, GError **error)
{
  while (length > 0) {
    gssize n = pwrite (sink->setup.out, bytes, length, (off_t) offset);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && (errno == ENOSPC || errno == EDQUOT))
      return fail_space (sink, outstanding (sink), error);
    if (n < 0) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot write the copy: %s",
                   g_strerror (errno));
      return FALSE;
    }
    bytes += n;
    offset += (guint64) n;
    length -= (gsize) n;
    sink->written += (guint64) n;
  }
  return check_room (sink, error);
}

/* Up to the next border of a block in the copy. */
static gsize
block_at (guint64 offset, gsize length)
{
  return MIN (length, BLOCK - offset % BLOCK);
}

static gboolean
is_zero (const guint8 *bytes, gsize length)
{
  return memcmp (bytes, zeros, length) == 0;
}

/* How many of @bytes, whole blocks, are of the kind of the first one. */
static gsize
run_of (const guint8 *bytes, gsize length, guint64 offset, gboolean *ret_zero)
{
  gsize n = block_at (offset, length);

  *ret_zero = is_zero (bytes, n);
  while (n < length) {
    gsize next = block_at (offset + n, length - n);

    if (is_zero (bytes + n, next) != *ret_zero)
      break;
    n += next;
  }
  return n;
}

gboolean
sp_source_sink_bytes (SpSourceSink *sink, const guint8 *bytes, gsize length, GError **error)
{
  gboolean zero;

  if (!may_go_on (sink, length, error) || !hash (sink, bytes, length, error))
    return FALSE;
  for (gsize at = 0; at < length;) {
    gsize n = run_of (bytes + at, length - at, sink->done + at, &zero);

    if (!zero && !write_at (sink, bytes + at, n, sink->done + at, error))
      return FALSE;
    at += n;
  }
  advance (sink, length);
  return TRUE;
}

gboolean
sp_source_sink_hole (SpSourceSink *sink, guint64 length, GError **error)
{
  while (length > 0) {
    gsize n = (gsize) MIN (length, STRIDE);

    if (!may_go_on (sink, n, error) || !hash (sink, zeros, n, error))
      return FALSE;
    advance (sink, n);
    length -= n;
  }
  return TRUE;
}

char *
sp_source_sink_end (SpSourceSink *sink, GError **error)
{
  guint8 digest[HASH_LENGTH];

  if (ftruncate (sink->setup.out, (off_t) sink->done) != 0 || fsync (sink->setup.out) != 0) {
    if (errno == ENOSPC || errno == EDQUOT)
      fail_space (sink, outstanding (sink), error);
    else
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot write the copy: %s",
                   g_strerror (errno));
    return NULL;
  }
  gnutls_hash_deinit (g_steal_pointer (&sink->hash), digest);
  return sp_hex (digest, sizeof digest);
}
