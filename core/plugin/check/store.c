/* store.c - the points of stores: rows, revisions, batches, scans */
#include "plugin/check/rows.h"

#include <string.h>

#define BIG (256u * 1024u)

static void
check_absent (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = sp_check_up (check, "first");
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) value = NULL;
  gint64 revision;

  if (store == NULL)
    return;
  if (sp_check_read (store, "rows", "absent", SP_CHECK_USUAL_MS, &value, &revision, &error))
    sp_check_fail (check, "read() found a row that was never written");
  else if (!g_error_matches (error, SP_ERROR, SP_ERROR_NOT_FOUND))
    sp_check_fail (check, "read() of a row that is not there fails with another code: %s",
                   error->message);
}

static void
check_revisions (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = sp_check_up (check, "first");
  static const struct {
    gint64 expect;
    const char *value;
    gint64 revision;
  } steps[] = {
    { 0, "one", 1 }, { 1, "two", 2 }, { -1, "three", 3 }, { 3, NULL, 0 }, { 0, "anew", 1 },
  };

  for (gsize i = 0; store != NULL && i < G_N_ELEMENTS (steps); i++)
    if (!sp_check_expect (check,
                          sp_check_put (store, "rows", "a", steps[i].expect, steps[i].value) ==
                              SP_BATCH_DONE,
                          "write %" G_GSIZE_FORMAT " expected revision %" G_GINT64_FORMAT
                          ", which was there, and was not done",
                          i + 1, steps[i].expect) ||
        !sp_check_need_row (store, "rows", "a", steps[i].revision, steps[i].value))
      return;
}

static gboolean
need_result (SpCheckInstance *store, const SpBatch *batch, guint32 result, const char *which)
{
  return sp_check_expect (store->check, batch->result == result, "%s was %s", which,
                          batch->result == SP_BATCH_DONE ? "done, and should be a conflict"
                                                         : "a conflict, and should be done");
}

static void
check_conflict (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = sp_check_up (check, "first");
  g_autoptr (GBytes) new = g_bytes_new_static ("new", 3);
  const SpWrite writes[] = { { "rows", "a", 1, new },
                             { "rows", "b", 0, new },
                             { "rows", "c", 7, new } };
  SpBatch batch = { .writes = writes, .n_writes = G_N_ELEMENTS (writes) };

  if (store == NULL || sp_check_put (store, "rows", "a", 0, "old") != SP_BATCH_DONE ||
      !sp_check_put_all (store, &batch, 1) ||
      !need_result (store, &batch, SP_BATCH_CONFLICT, "a batch with a revision that is not there"))
    return;
  if (sp_check_need_row (store, "rows", "a", 1, "old"))
    (void) sp_check_need_row (store, "rows", "b", 0, NULL);
}

static void
check_batches (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = sp_check_up (check, "first");
  g_autoptr (GBytes) one = g_bytes_new_static ("one", 3);
  g_autoptr (GBytes) two = g_bytes_new_static ("two", 3);
  const SpWrite first[] = { { "rows", "a", 0, one } };
  const SpWrite second[] = { { "rows", "b", 0, one }, { "rows", "a", 0, two } };
  const SpWrite third[] = { { "rows", "a", 1, two }, { "rows", "c", 0, two } };
  SpBatch batches[] = { { .writes = first, .n_writes = 1 },
                        { .writes = second, .n_writes = 2 },
                        { .writes = third, .n_writes = 2 } };

  if (store == NULL || !sp_check_put_all (store, batches, G_N_ELEMENTS (batches)) ||
      !need_result (store, &batches[0], SP_BATCH_DONE, "the first batch") ||
      !need_result (store, &batches[1], SP_BATCH_CONFLICT,
                    "the second batch, which expects what the first has changed,") ||
      !need_result (store, &batches[2], SP_BATCH_DONE,
                    "the third batch, which builds on the first,"))
    return;
  if (sp_check_need_row (store, "rows", "a", 2, "two") &&
      sp_check_need_row (store, "rows", "b", 0, NULL))
    (void) sp_check_need_row (store, "rows", "c", 1, "two");
}

static gboolean
need_value (SpCheckInstance *store, const char *key, gconstpointer data, gsize length)
{
  g_autoptr (GBytes) value = g_bytes_new (data, length);
  const SpWrite write = { "values", key, -1, value };
  SpBatch batch = { .writes = &write, .n_writes = 1 };
  g_autoptr (GBytes) found = NULL;
  gint64 revision;

  if (!sp_check_put_all (store, &batch, 1) ||
      !sp_check_get (store, "values", key, &found, &revision))
    return FALSE;
  return sp_check_expect (store->check, found != NULL && g_bytes_equal (found, value),
                          "a value of %" G_GSIZE_FORMAT " bytes did not come back as it was",
                          length);
}

static void
check_values (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = sp_check_up (check, "first");
  g_autofree guint8 *big = g_malloc (BIG);

  for (gsize i = 0; i < BIG; i++)
    big[i] = (guint8) (i * 31 + i / 256);
  if (store != NULL && need_value (store, "empty", "", 0) &&
      need_value (store, "nul", "a\0b\0", 4) && need_value (store, "not-utf8", "\xff\xfe\x80", 3))
    (void) need_value (store, "big", big, BIG);
}

static void
check_keys (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = sp_check_up (check, "first");
  g_autofree char *longest = g_strnfill (128, 'k');
  const char *const keys[] = { "'",    "\"", "%",   "_",   "\\", "/",    "..",
                               "../x", "*",  "a b", ";--", "~",  longest };

  for (gsize i = 0; store != NULL && i < G_N_ELEMENTS (keys); i++)
    if (sp_check_put (store, "rows", keys[i], 0, keys[i]) != SP_BATCH_DONE) {
      sp_check_fail (check, "the key '%s' is taken for another one", keys[i]);
      return;
    }
  for (gsize i = 0; store != NULL && i < G_N_ELEMENTS (keys); i++)
    if (!sp_check_need_row (store, "rows", keys[i], 1, keys[i]))
      return;
}

static void
check_tables (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = sp_check_up (check, "first");

  if (store == NULL || sp_check_put (store, "rows", "a", 0, "here") != SP_BATCH_DONE ||
      !sp_check_need_row (store, "others", "a", 0, NULL))
    return;
  if (!sp_check_expect (check, sp_check_put (store, "others", "a", 0, "there") == SP_BATCH_DONE,
                        "a key of one table is in the way of the same key in another"))
    return;
  if (sp_check_need_row (store, "rows", "a", 1, "here"))
    (void) sp_check_need_row (store, "others", "a", 1, "there");
}

/* ---- scans ---------------------------------------------------------------------------------------------- */

/* In the order of their bytes. */
static const char *const sorted[] = { "!", "-", "0",  "10", "9", "A", "B",
                                      "_", "a", "aa", "ab", "b", "~" };

static gboolean
fill (SpCheckInstance *store)
{
  /* Not in order: 5 and 13 have no common divisor. */
  for (gsize i = 0; i < G_N_ELEMENTS (sorted); i++)
    if (sp_check_put (store, "rows", sorted[i * 5 % G_N_ELEMENTS (sorted)], 0, "x") !=
        SP_BATCH_DONE) {
      sp_check_fail (store->check, "a new row could not be written");
      return FALSE;
    }
  return sp_check_put (store, "others", "a-of-another-table", 0, "x") != 0;
}

/* The rows after @after are those from @first on, up to @limit. */
static gboolean
need_scan (SpCheckInstance *store, const char *after, gsize first, guint limit)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  gboolean ok = sp_check_scan (store, "rows", after, limit, SP_CHECK_USUAL_MS, keys, &error);
  guint wanted = (guint) MIN (G_N_ELEMENTS (sorted) - first, limit);

  if (!sp_check_need (store->check, "scan()", ok, error))
    return FALSE;
  for (guint i = 0; i < MIN (keys->len, wanted); i++) {
    g_autofree char *row = g_strconcat (sorted[first + i], "=1", NULL);

    if (!sp_check_expect (store->check, strcmp (g_ptr_array_index (keys, i), row) == 0,
                          "row %u of a scan after %s is %s, and should be %s", i + 1,
                          after != NULL ? after : "nothing", (char *) g_ptr_array_index (keys, i),
                          row))
      return FALSE;
  }
  return sp_check_expect (store->check, keys->len == wanted,
                          "a scan after %s gave %u rows, and there are %u",
                          after != NULL ? after : "nothing", keys->len, wanted);
}

static void
check_order (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = sp_check_up (check, "first");

  if (store != NULL && fill (store))
    (void) need_scan (store, NULL, 0, G_MAXUINT);
}

static void
check_after (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = sp_check_up (check, "first");

  /* One that is there, one that is not, the last one, and one behind it. */
  if (store != NULL && fill (store) && need_scan (store, "A", 6, G_MAXUINT) &&
      need_scan (store, "aaa", 10, G_MAXUINT) && need_scan (store, "~", 13, G_MAXUINT))
    (void) need_scan (store, "~~", 13, G_MAXUINT);
}

static void
check_stop (SpCheck *check)
{
  g_autoptr (SpCheckInstance) store = sp_check_up (check, "first");

  if (store != NULL && fill (store) && need_scan (store, NULL, 0, 1) &&
      need_scan (store, "0", 3, 4))
    (void) need_scan (store, NULL, 0, G_MAXUINT);
}

static void
check_apart (SpCheck *check)
{
  g_autoptr (SpCheckInstance) first = sp_check_up (check, "first");
  g_autoptr (SpCheckInstance) second = first != NULL ? sp_check_up (check, "second") : NULL;

  /* Given options may well name one file for both. */
  if (second == NULL || !sp_check_is_made_up (check))
    return;
  if (sp_check_put (first, "rows", "a", 0, "x") == SP_BATCH_DONE)
    (void) sp_check_need_row (second, "rows", "a", 0, NULL);
}

#define ALL_OR_NOTHING \
  "check all expected revisions of a batch before its first write, in one transaction"

static const SpCheckCase cases[] = {
  { .name = "store/absent",
    .what = "a row that is not there is SP_ERROR_NOT_FOUND",
    .mend = "set SP_ERROR_NOT_FOUND, and nothing else, for it",
    .run = check_absent },
  { .name = "store/revisions",
    .what = "revisions count from 1, and from 1 again after a removal",
    .mend = "a row that is removed is as if it had never been; expect -1 fits any revision, 0 none",
    .run = check_revisions },
  { .name = "store/conflict",
    .what = "a conflict leaves nothing of its batch",
    .mend = ALL_OR_NOTHING,
    .run = check_conflict },
  { .name = "store/batches",
    .what = "several batches are each whole or not at all, in order",
    .mend = ALL_OR_NOTHING "; a conflict in one does not touch the others",
    .run = check_batches },
  { .name = "store/values",
    .what = "values of 0 to 256 KiB come back byte by byte",
    .mend = "keep values as bytes with a length, not as text",
    .run = check_values },
  { .name = "store/keys",
    .what = "keys are any printable ASCII of up to 128 bytes",
    .mend = "bind keys as parameters, and never use one as a file's name or a pattern",
    .run = check_keys },
  { .name = "store/tables",
    .what = "tables have nothing to do with one another",
    .mend = "make the table's name a part of what a row is found by",
    .run = check_tables },
  { .name = "store/order",
    .what = "a scan gives each row once, in the order of the bytes of the keys",
    .mend = "order as strcmp() does, without a locale",
    .run = check_order },
  { .name = "store/after",
    .what = "a scan goes on after a key, whether that is there or not",
    .mend = "give rows with a key greater than it, not the row itself",
    .run = check_after },
  { .name = "store/stop",
    .what = "a scan ends when it is told to",
    .mend = "return TRUE as soon as the row function returns FALSE",
    .run = check_stop },
  { .name = "store/instances",
    .what = "instances do not see each other's rows",
    .mend = "keep rows in state_dir(), and none in static variables",
    .run = check_apart },
};

const SpCheckGroup sp_check_store_group = { SP_KIND_STORE, cases, G_N_ELEMENTS (cases) };
