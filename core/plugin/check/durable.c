/* durable.c - the points of stores that last: another process finds what was acknowledged, and nothing torn
 *
 * A process of its own writes batch after batch, notes each that was acknowledged in a file, and is killed
 * in the middle; a second one looks.  All rows of a batch hold its number, so a torn one shows.  What a
 * power cut would leave can't be seen from here: that is for the author's fsync().
 */
#include "plugin/check/rows.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define N_ROWS 64
#define VALUE_LENGTH 512
#define MAX_BATCHES 100000u
#define ACKNOWLEDGED "acknowledged"

/* NULL: there is a verdict. */
static SpCheckInstance *
up (SpCheck *check)
{
  const SpPluginModule *module = sp_check_load (check);

  if (module == NULL)
    return NULL;
  if ((module->store.flags & SP_STORE_VOLATILE) != 0) {
    sp_check_skip (check, "it says that it keeps nothing (SP_STORE_VOLATILE)");
    return NULL;
  }
  return sp_check_up (check, "first");
}

/* ---- kept ----------------------------------------------------------------------------------------------- */

static void
write_to_keep (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = up (check);

  if (store == NULL || sp_check_put (store, "rows", "a", 0, "kept") == 0 ||
      sp_check_put (store, "rows", "a", 1, "kept on") == 0 ||
      sp_check_put (store, "rows", "gone", 0, "x") == 0)
    return;
  (void) sp_check_put (store, "rows", "gone", 1, NULL);
}

static void
look_for_kept (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = up (check);

  if (store != NULL && sp_check_need_row (store, "rows", "a", 2, "kept on"))
    (void) sp_check_need_row (store, "rows", "gone", 0, NULL);
}

/* ---- killed --------------------------------------------------------------------------------------------- */

static gboolean
write_numbered (SpCheckInstance *store, guint number)
{
  g_autofree char *text = g_strdup_printf ("%-*u", VALUE_LENGTH, number);
  g_autoptr (GBytes) value = g_bytes_new (text, strlen (text));
  char keys[N_ROWS][8];
  SpWrite writes[N_ROWS];
  SpBatch batch = { .writes = writes, .n_writes = N_ROWS };

  for (guint i = 0; i < N_ROWS; i++) {
    (void) g_snprintf (keys[i], sizeof keys[i], "r%02u", i);
    writes[i] = (SpWrite){ "rows", keys[i], -1, value };
  }
  return sp_check_put_all (store, &batch, 1) && batch.result == SP_BATCH_DONE;
}

static void
write_until_killed (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = up (check);
  g_autofree char *path = g_build_filename (sp_check_folder (check), ACKNOWLEDGED, NULL);
  int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  for (guint number = 1; store != NULL && fd >= 0 && number < MAX_BATCHES; number++) {
    if (!write_numbered (store, number)) {
      sp_check_fail (check, "a batch that expects nothing was not done");
      break;
    }
    if (pwrite (fd, &number, sizeof number, 0) != sizeof number)
      break;
    /* Somewhere within the writes that follow. */
    if (number == 3)
      sp_check_kill_soon (check, (guint) g_random_int_range (1, 40));
  }
  if (fd >= 0)
    (void) close (fd);
}

static guint
acknowledged (SpCheck *check)
{
  g_autofree char *path = g_build_filename (sp_check_folder (check), ACKNOWLEDGED, NULL);
  g_autofree char *data = NULL;
  guint number = 0;
  gsize length = 0;

  if (g_file_get_contents (path, &data, &length, NULL) && length == sizeof number)
    memcpy (&number, data, sizeof number);
  return number;
}

/* 0: not there. */
static gboolean
read_number (SpCheckInstance *store, guint i, guint *ret_number)
{
  g_autofree char *key = g_strdup_printf ("r%02u", i);
  g_autoptr (GBytes) value = NULL;
  g_autofree char *text = NULL;
  gint64 revision;

  if (!sp_check_get (store, "rows", key, &value, &revision))
    return FALSE;
  if (value != NULL)
    text = g_strndup (g_bytes_get_data (value, NULL), g_bytes_get_size (value));
  *ret_number = text != NULL ? (guint) g_ascii_strtoull (text, NULL, 10) : 0;
  return TRUE;
}

static void
look_for_torn (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = up (check);
  guint told = acknowledged (check);
  guint first = 0, number;

  for (guint i = 0; store != NULL && i < N_ROWS; i++) {
    if (!read_number (store, i, &number))
      return;
    first = i == 0 ? number : first;
    if (number != first) {
      sp_check_fail (
          check,
          "killed while it wrote, it left a part of a batch: row 1 is of batch %u, row %u "
          "of batch %u",
          first, i + 1, number);
      return;
    }
  }
  if (store != NULL && first < told)
    sp_check_fail (check, "batch %u was acknowledged, and after a kill batch %u is the last", told,
                   first);
}

/* ---- two at once ---------------------------------------------------------------------------------------- */

/* Where it lets the other one in, both must see the same revisions. */
static void
write_beside (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = up (check);

  if (store == NULL || sp_check_put (store, "rows", "shared", 0, "first") == 0 ||
      !sp_check_run_beside (check, "store/second-writer"))
    return;
  if (!g_file_test ("written-by-second", G_FILE_TEST_EXISTS))
    return;
  if (sp_check_put (store, "rows", "shared", 1, "lost") == SP_BATCH_DONE)
    sp_check_fail (check, "two processes wrote the same revision of a row: one of them was lost");
}

static void
write_second (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = NULL;
  g_autoptr (GError) error = NULL;

  if (sp_check_load (check) == NULL)
    return;
  store = sp_check_instance_new (check, "first", SP_FILL_LEAST, sp_check_shape (check), &error);
  /* To refuse a second one is right. */
  if (store == NULL || !sp_check_open (store, &error) ||
      !sp_check_start (store, SP_CHECK_USUAL_MS, &error))
    return;
  if (sp_check_put (store, "rows", "shared", 1, "second") == SP_BATCH_DONE)
    (void) g_file_set_contents ("written-by-second", "", 0, NULL);
}

static const SpCheckCase cases[] = {
  { .name = "store/reopen",
    .what = "another process finds what was written",
    .mend =
        "keep rows in state_dir(); a store that means to keep nothing says SP_STORE_VOLATILE in "
        "its flags",
    .run = write_to_keep,
    .then = look_for_kept },
  { .name = "store/killed",
    .what = "killed while it writes, it keeps what was acknowledged and tears nothing",
    .mend = "write each batch in one transaction of a journal, or to a new file that takes the old "
            "one's name; return TRUE after fsync() only",
    .run = write_until_killed,
    .then = look_for_torn,
    .flags = SP_CASE_KILLED,
    .rounds = 5 },
  { .name = "store/two-writers",
    .what = "two processes lose nothing of each other",
    .mend = "hold a lock on the files from start() to stop(), and let a second start() fail",
    .run = write_beside },
  { .name = "store/second-writer", .run = write_second, .flags = SP_CASE_SILENT | SP_CASE_BESIDE },
};

const SpCheckGroup sp_check_durable_group = { SP_KIND_STORE, cases, G_N_ELEMENTS (cases) };
