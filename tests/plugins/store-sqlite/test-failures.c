/* test-failures.c - a disk that fails, and deadlines
 *
 * The disk fails for real where the system can be told to (RLIMIT_FSIZE), and otherwise in the
 * system calls that SQLite makes: its own hook for write, this program's fdatasync for sync.
 */
#include "sql.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How many of the next syncs fail.  Set within a test only. */
static guint failing_syncs;

int fdatasync (int fd);
int fsync (int fd);

static int
sync_or_fail (long call, int fd)
{
  if (failing_syncs == 0)
    return (int) syscall (call, fd);
  failing_syncs--;
  errno = EIO;
  return -1;
}

/* SQLite's library finds these before those of the C library. */
int
fdatasync (int fd)
{
  return sync_or_fail (SYS_fdatasync, fd);
}

int
fsync (int fd)
{
  return sync_or_fail (SYS_fsync, fd);
}

static ssize_t
write_to_full_disk (int fd, const void *data, size_t size, off_t offset)
{
  errno = ENOSPC;
  return -1;
}

/* NULL: the system's own again. */
static void
set_write (sqlite3_syscall_ptr call)
{
  sqlite3_vfs *vfs = sqlite3_vfs_find (NULL);

  vfs->xSetSystemCall (vfs, "pwrite", call);
  vfs->xSetSystemCall (vfs, "pwrite64", call);
}

static void
assert_put_fails (Fixture *self, const char *key, gsize size, const char *words)
{
  g_autofree char *data = g_strnfill (size, 'x');
  g_autoptr (GBytes) value = g_bytes_new (data, size);
  g_autoptr (GError) error = NULL;

  g_assert_false (fixture_try_put (self, key, -1, value, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
  g_assert_nonnull (strstr (error->message, self->path));
  if (strstr (error->message, words) == NULL)
    g_error ("“%s” does not say “%s”", error->message, words);
}

static void
test_disk_full (Fixture *self)
{
  fixture_put (self, "kept", 0, "v");
  set_write ((sqlite3_syscall_ptr) write_to_full_disk);
  assert_put_fails (self, "lost", 10, "database or disk is full; free space");
  assert_put_fails (self, "lost", 10, "database or disk is full; free space");
  fixture_assert_row (self, "kept", 1, "v");
  fixture_assert_row (self, "lost", 0, NULL);
  set_write (NULL);
  g_assert_cmpint (fixture_put (self, "later", 0, "v"), ==, SP_BATCH_DONE);
  fixture_close (self);
  fixture_open (self);
  fixture_assert_row (self, "kept", 1, "v");
  fixture_assert_row (self, "lost", 0, NULL);
  fixture_assert_row (self, "later", 1, "v");
}

static guint
fill_until_refused (Fixture *self)
{
  static const char block[32 * 1024] = "x";
  g_autoptr (GBytes) value = g_bytes_new_static (block, sizeof block);
  g_autoptr (GError) error = NULL;
  guint written = 0;
  char key[16];

  while (error == NULL && written < 1000) {
    g_snprintf (key, sizeof key, "%u", written);
    if (fixture_try_put (self, key, 0, value, &error))
      written++;
  }
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
  return written;
}

static guint
count_keys (Fixture *self)
{
  g_autofree char *keys = fixture_keys (self, "t", NULL);
  guint spaces = 0;

  for (const char *c = keys; *c != '\0'; c++)
    spaces += *c == ' ';
  return spaces;
}

static void
test_file_limit (Fixture *self)
{
  void (*before) (int) = signal (SIGXFSZ, SIG_IGN);
  struct rlimit limit, small;
  guint written;

  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  small = limit;
  small.rlim_cur = 1024 * 1024;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  written = fill_until_refused (self);
  g_assert_cmpuint (written, >, 10);
  g_assert_cmpuint (count_keys (self), ==, written);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  signal (SIGXFSZ, before);
  fixture_put (self, "later", 0, "v");
  fixture_close (self);
  fixture_open (self);
  g_assert_cmpuint (count_keys (self), ==, written + 1);
}

/* What a start after a crash would find now. */
static void
copy_database (Fixture *self, Fixture *copy)
{
  g_autofree char *log = g_strconcat (self->path, "-wal", NULL);
  g_autofree char *log_copy = g_strconcat (copy->path, "-wal", NULL);

  fixture_copy_file (self->path, copy->path);
  fixture_copy_file (log, log_copy);
}

static void
test_failed_sync (Fixture *self)
{
  g_autofree char *path = g_build_filename (self->folder, "copy.db", NULL);
  Fixture copy = { .host = self->host, .folder = self->folder, .path = path, .configured = path };

  fixture_put (self, "kept", 0, "v");
  failing_syncs = G_MAXUINT;
  assert_put_fails (self, "lost", 10, "nothing was kept");
  assert_put_fails (self, "lost", 10, "disk I/O error");
  fixture_assert_row (self, "kept", 1, "v");
  fixture_assert_row (self, "lost", 0, NULL);
  failing_syncs = 0;
  /* A call that writes nothing itself, and so overwrites nothing in the log. */
  g_assert_cmpint (fixture_put (self, "kept", 7, "v"), ==, SP_BATCH_CONFLICT);
  copy_database (self, &copy);
  fixture_open (&copy);
  fixture_assert_row (&copy, "kept", 1, "v");
  fixture_assert_row (&copy, "lost", 0, NULL);
  fixture_close (&copy);
  g_assert_cmpint (fixture_put (self, "later", 0, "v"), ==, SP_BATCH_DONE);
}

static void
test_one_failed_sync (Fixture *self)
{
  g_autofree char *path = g_build_filename (self->folder, "copy.db", NULL);
  Fixture copy = { .host = self->host, .folder = self->folder, .path = path, .configured = path };

  fixture_put (self, "kept", 0, "v");
  failing_syncs = 1;
  assert_put_fails (self, "lost", 10, "nothing was kept: /");
  g_assert_cmpuint (failing_syncs, ==, 0);
  copy_database (self, &copy);
  fixture_open (&copy);
  fixture_assert_row (&copy, "kept", 1, "v");
  fixture_assert_row (&copy, "lost", 0, NULL);
  fixture_close (&copy);
}

/* What write_and_cancel() cancels, and how often it was called.  Set within a test only. */
static GCancellable *cancelled_by_write;
static guint writes_seen;

static ssize_t
write_and_cancel (int fd, const void *data, size_t size, off_t offset)
{
  g_cancellable_cancel (cancelled_by_write);
  writes_seen++;
  return pwrite (fd, data, size, offset);
}

/* More than SQLite keeps in memory, so that it writes before the transaction is whole. */
static void
test_cancelled_write (Fixture *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autofree char *data = g_strnfill (200 * 1024, 'x');
  g_autoptr (GBytes) value = g_bytes_new (data, 200 * 1024);
  g_autoptr (GError) error = NULL;
  char keys[40][4];
  SpWrite writes[40];
  SpBatch batch = { writes, 40, 0 };

  for (guint i = 0; i < 40; i++) {
    g_snprintf (keys[i], sizeof keys[i], "%u", i);
    writes[i] = (SpWrite){ "t", keys[i], 0, value };
  }
  cancelled_by_write = cancellable;
  writes_seen = 0;
  set_write ((sqlite3_syscall_ptr) write_and_cancel);
  g_assert_false (fixture_ops ()->write (self->store, &batch, 1, cancellable, &error));
  set_write (NULL);
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
  g_assert_cmpuint (batch.result, ==, 0);
  g_assert_cmpuint (writes_seen, >, 0);
  g_assert_cmpuint (writes_seen, <, 1000); /* all of the batch takes some 3000 */
  g_assert_cmpuint (count_keys (self), ==, 0);
  g_assert_cmpint (fixture_put (self, "1", 0, "v"), ==, SP_BATCH_DONE);
}

static void
test_cancelled_start (Fixture *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  sp_plugin ()->stop (self->store);
  g_assert_false (sp_plugin ()->start (self->store, cancellable, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
  g_clear_error (&error);
  g_assert_true (sp_plugin ()->start (self->store, NULL, &error));
  g_assert_no_error (error);
}

typedef struct {
  GCancellable *cancellable;
  guint rows;
} CancelAt;

static gboolean
cancel_at_third (const char *key, gint64 revision, GBytes *value, gpointer data)
{
  CancelAt *state = data;

  if (++state->rows == 3)
    g_cancellable_cancel (state->cancellable);
  return TRUE;
}

static void
fill (Fixture *self, guint rows)
{
  g_autoptr (GBytes) value = g_bytes_new_static ("v", 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func (g_free);
  g_autofree SpWrite *writes = g_new0 (SpWrite, rows);
  SpBatch batch = { writes, rows, 0 };

  for (guint i = 0; i < rows; i++) {
    char *key = g_strdup_printf ("%06u", i);

    g_ptr_array_add (keys, key);
    writes[i] = (SpWrite){ "t", key, 0, value };
  }
  g_assert_true (fixture_ops ()->write (self->store, &batch, 1, NULL, &error));
  g_assert_no_error (error);
}

static void
test_cancelled_scan (Fixture *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  CancelAt state = { cancellable, 0 };

  fill (self, 1000);
  g_assert_false (
      fixture_ops ()->scan (self->store, "t", NULL, cancel_at_third, &state, cancellable, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
  g_assert_cmpuint (state.rows, ==, 3);
  g_assert_cmpint (fixture_put (self, "000000", 1, "w"), ==, SP_BATCH_DONE);
}

static gpointer
cancel_from_thread (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  return NULL;
}

static gboolean
cancel_in_thread (const char *key, gint64 revision, GBytes *value, gpointer data)
{
  CancelAt *state = data;

  if (state->rows++ == 0)
    g_thread_join (g_thread_new ("cancel", cancel_from_thread, state->cancellable));
  return TRUE;
}

static void
test_cancelled_from_thread (Fixture *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  CancelAt state = { cancellable, 0 };

  fill (self, 10);
  g_assert_false (
      fixture_ops ()->scan (self->store, "t", NULL, cancel_in_thread, &state, cancellable, &error));
  g_assert_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE);
  g_assert_cmpuint (state.rows, ==, 1);
}

static const FixtureCase cases[] = {
  { "failure/full-disk-keeps-what-was-acknowledged", test_disk_full, FALSE },
  { "failure/file-limit-keeps-what-was-acknowledged", test_file_limit, FALSE },
  { "failure/failed-sync-does-not-come-back", test_failed_sync, FALSE },
  { "failure/refused-transaction-leaves-the-log-at-once", test_one_failed_sync, FALSE },
  { "deadline/cancelled-start-may-be-repeated", test_cancelled_start, FALSE },
  { "deadline/cancelled-write-leaves-nothing", test_cancelled_write, FALSE },
  { "deadline/cancelled-scan-ends", test_cancelled_scan, FALSE },
  { "deadline/cancelled-from-a-thread-ends", test_cancelled_from_thread, FALSE },
};

void
add_failures_tests (void)
{
  fixture_add_cases (cases, G_N_ELEMENTS (cases));
}
