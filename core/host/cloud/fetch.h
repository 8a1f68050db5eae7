/* fetch.h - a large file from the network, whose checksum is known beforehand
 *
 * What the network says is not trusted: redirects are few and never lead from HTTPS to HTTP, sizes and slowness
 * are bounded, and nothing is returned that does not have the checksum.  What a broken connection leaves is kept
 * and gone on with, if the server says that the file is still the same (If-Range).
 *
 * Files are kept in $XDG_CACHE_HOME/secret-proxy/images under their checksum, 0600, so a second run fetches
 * nothing.
 */
#pragma once

#include <gio/gio.h>

/* Some @done of @total bytes; total 0: not known.  About once a second. */
typedef void (*SpFetchProgress) (guint64 done, guint64 total, gpointer data);

typedef struct {
  const char *url;
  const char *sha512; /* 128 lower-case hex digits */
  const char *cache;  /* another folder; NULL: the usual one */
  guint64 max_size;   /* bytes; 0: 8 GiB */
  guint stall_s;      /* seconds in which at least a KiB each must have come; 0: 30 */
  SpFetchProgress progress;
  gpointer data;
} SpFetch;

/* The path of the file, which has the checksum.  SP_PROBLEM_INTEGRITY: what came has another;
 * SP_PROBLEM_UNREACHABLE, SP_PROBLEM_TIMED_OUT, SP_PROBLEM_TOO_LARGE; SP_PROBLEM_CONFLICT: another process
 * fetches it just now.  Blocks. */
char *sp_fetch_file (const SpFetch *fetch, GError **error);
/* A small text, over HTTPS (or from this machine's loopback) only.  Blocks. */
char *sp_fetch_text (const char *url, gsize max, GError **error);
/* Where the files are kept; free it. */
char *sp_fetch_cache (void);
