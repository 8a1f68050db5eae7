/* copy.c - copy a disk that lies on this machine: source-private.h
 *
 * What must stay true: only the one descriptor is read; the agent may go on writing, so what it does
 * while this runs makes the copy fail or changes its hash, and never more than that.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/source/private.h"

#define PIECE (1024u * 1024u)
#define STAT_BLOCK 512u

static gboolean
fail_changed (GError **error)
{
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                       "it was written to while it was copied: stop the agent's VM and try again");
  return FALSE;
}

static gboolean
fail_read (GError **error)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "it can't be read: %s",
               g_strerror (errno));
  return FALSE;
}

static gboolean
copy_data (int in, guint64 from, guint64 to, SpSourceSink *sink, GError **error)
{
  g_autofree guint8 *piece = g_malloc (PIECE);

  while (from < to) {
    gssize n = pread (in, piece, (gsize) MIN (to - from, PIECE), (off_t) from);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return fail_read (error);
    if (n == 0)
      return fail_changed (error);
    if (!sp_source_sink_bytes (sink, piece, (gsize) n, error))
      return FALSE;
    from += (guint64) n;
  }
  return TRUE;
}

/* The next piece of data at or after @at.  A file system that knows no holes has data only. */
static void
next_data (int in, guint64 at, guint64 size, guint64 *ret_from, guint64 *ret_to)
{
  off_t from = lseek (in, (off_t) at, SEEK_DATA), to;

  if (from < 0 && errno == ENXIO) {
    *ret_from = *ret_to = size;
    return;
  }
  to = from >= 0 ? lseek (in, from, SEEK_HOLE) : -1;
  *ret_from = from >= 0 ? MIN ((guint64) from, size) : at;
  *ret_to = to > from ? MIN ((guint64) to, size) : size;
}

static gboolean
copy_extents (int in, guint64 size, SpSourceSink *sink, GError **error)
{
  guint64 at = 0, from, to;

  while (at < size) {
    next_data (in, at, size, &from, &to);
    if (!sp_source_sink_hole (sink, from - at, error) || !copy_data (in, from, to, sink, error))
      return FALSE;
    at = to;
  }
  return TRUE;
}

static gboolean
is_same (const struct stat *a, const struct stat *b)
{
  return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
         a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

gboolean
sp_source_copy_local (int in, const struct stat *before, SpSourceSink *sink, GError **error)
{
  guint64 size = (guint64) before->st_size;
  struct stat after;

  if (!sp_source_sink_expect (sink, size, (guint64) before->st_blocks * STAT_BLOCK, error) ||
      !copy_extents (in, size, sink, error))
    return FALSE;
  if (fstat (in, &after) != 0)
    return fail_read (error);
  return is_same (before, &after) || fail_changed (error);
}
