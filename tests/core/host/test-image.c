/* test-image.c - host/image/image.h: what is refused by which name, and what is read */
#include "host/image/image.h"

#include <sys/mman.h>
#include <unistd.h>

#include "../../lib/test-qcow2.h"
#include "base/problem.h"
#include "host/image/judge.h"

#define BITS 12u
#define CLUSTER ((guint64) 1 << BITS)
#define COPIED ((guint64) 1 << 63)

static int
file_with (const guint8 *bytes, gsize length)
{
  int fd = memfd_create ("image", MFD_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, bytes, length), ==, (gssize) length);
  return fd;
}

/* The codes of all findings, joined by spaces. */
static char *
codes_of (int fd, const SpImageLimits *limits)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) findings = sp_image_check (fd, limits, &error);
  GString *codes = g_string_new (NULL);

  g_assert_no_error (error);
  for (guint i = 0; i < findings->len; i++) {
    const SpImageFinding *finding = g_ptr_array_index (findings, i);

    g_assert_cmpuint (strlen (finding->message), >, 10);
    g_string_append_printf (codes, "%s%s", i > 0 ? " " : "", finding->code);
  }
  return g_string_free (codes, FALSE);
}

/* ---- flaws --------------------------------------------------------------------------------------------- */

typedef struct {
  guint64 at;
  guint bytes;
  guint64 value;
} Patch;

typedef struct {
  const char *name;
  const char *codes;
  Patch patches[14];
} Flaw;

#define EXTENSION(type, length) \
  { QCOW2_NAMES_AT, 4, (type) }, \
  { \
    QCOW2_NAMES_AT + 4, 4, (length) \
  }
#define NAMES 0x6803f857
/* The last cluster is no longer of the disk but the table of one snapshot. */
#define SNAPSHOT(l1, entries) \
  { 4 * CLUSTER + 24, 8, 0 }, { QCOW2_N_SNAPSHOTS, 4, 1 }, { QCOW2_SNAPSHOTS, 8, 7 * CLUSTER }, \
      { 7 * CLUSTER, 8, (l1) }, { 7 * CLUSTER + 8, 8, (guint64) (entries) << 32 }, \
  { \
    7 * CLUSTER + 36, 4, 0 \
  }

static const Flaw flaws[] = {
  { "other-magic", "not-qcow2", { { 0, 4, 0x514649fc } } },
  { "old-version", "version", { { 4, 4, 2 } } },
  { "future-version", "version", { { 4, 4, 4 } } },
  { "backing-file", "backing-file", { { QCOW2_BACKING, 8, 0x200 } } },
  { "length-of-a-backing-file", "backing-file", { { QCOW2_BACKING + 8, 4, 9 } } },
  { "encryption", "encryption", { { QCOW2_CRYPT, 4, 2 } } },
  { "dirty", "dirty", { { QCOW2_INCOMPATIBLE, 8, 1 } } },
  { "corrupt", "corrupt", { { QCOW2_INCOMPATIBLE, 8, 2 } } },
  { "data-file", "data-file", { { QCOW2_INCOMPATIBLE, 8, 4 } } },
  { "zstd", "compression-type", { { QCOW2_INCOMPATIBLE, 8, 8 } } },
  { "extended-l2", "extended-l2", { { QCOW2_INCOMPATIBLE, 8, 16 } } },
  { "unknown-incompatible", "unknown-feature", { { QCOW2_INCOMPATIBLE, 8, 32 } } },
  { "last-incompatible", "unknown-feature", { { QCOW2_INCOMPATIBLE, 8, COPIED } } },
  { "unknown-compatible", "unknown-feature", { { QCOW2_COMPATIBLE, 8, 2 } } },
  { "unknown-autoclear", "unknown-feature", { { QCOW2_AUTOCLEAR, 8, 4 } } },
  { "bitmaps", "bitmaps", { { QCOW2_AUTOCLEAR, 8, 1 } } },
  { "raw-data-file", "data-file", { { QCOW2_AUTOCLEAR, 8, 2 } } },
  { "two-at-once", "dirty corrupt", { { QCOW2_INCOMPATIBLE, 8, 3 } } },
  { "refcount-width", "refcount-width", { { QCOW2_ORDER, 4, 7 } } },
  { "short-header", "header-length", { { QCOW2_HEADER_LENGTH, 4, 72 } } },
  { "long-header", "header-length", { { QCOW2_HEADER_LENGTH, 4, 0xfffffff8 } } },
  { "compression-without-bit",
    "compression-type",
    { { QCOW2_HEADER_LENGTH, 4, 112 }, { 104, 1, 1 } } },
  { "padding-of-header", "header-length", { { QCOW2_HEADER_LENGTH, 4, 112 }, { 111, 1, 1 } } },
  { "tiny-clusters", "cluster-size", { { QCOW2_CLUSTER_BITS, 4, 8 } } },
  { "huge-clusters", "cluster-size", { { QCOW2_CLUSTER_BITS, 4, 22 } } },
  { "absurd-clusters", "cluster-size", { { QCOW2_CLUSTER_BITS, 4, 0xffffffff } } },
  { "no-disk", "virtual-size", { { QCOW2_SIZE, 8, 0 } } },
  { "half-sector", "virtual-size", { { QCOW2_SIZE, 8, 8 * CLUSTER - 256 } } },
  { "huge-disk", "virtual-size", { { QCOW2_SIZE, 8, (guint64) 1 << 60 } } },
  { "largest-disk", "virtual-size", { { QCOW2_SIZE, 8, ~(guint64) 0 } } },
  { "short-l1", "l1-size", { { QCOW2_SIZE, 8, (guint64) 1 << 30 } } },
  { "huge-l1", "l1-size l1-table", { { QCOW2_L1_SIZE, 4, 0xffffffff } } },
  { "no-l1", "l1-table", { { QCOW2_L1, 8, 0 } } },
  { "l1-beyond", "l1-table", { { QCOW2_L1, 8, 8 * CLUSTER } } },
  { "l1-at-the-end-of-numbers", "l1-table", { { QCOW2_L1, 8, ~(CLUSTER - 1) } } },
  { "l1-askew", "l1-table", { { QCOW2_L1, 8, 3 * CLUSTER + 8 } } },
  { "l1-over-refcounts",
    "overlap l2-shared",
    { { QCOW2_L1, 8, CLUSTER }, { CLUSTER, 8, 4 * CLUSTER } } },
  { "refcounts-beyond", "refcount-table", { { QCOW2_REFCOUNTS, 8, 9 * CLUSTER } } },
  { "no-refcounts", "refcount-table", { { QCOW2_REFCOUNT_CLUSTERS, 4, 0 } } },
  { "huge-refcounts", "refcount-table", { { QCOW2_REFCOUNT_CLUSTERS, 4, 0xffffffff } } },
  { "refcount-block-beyond", "refcount-block", { { CLUSTER + 8, 8, 8 * CLUSTER } } },
  { "refcount-block-askew", "refcount-block", { { CLUSTER, 8, 2 * CLUSTER + 1 } } },
  { "refcount-block-twice", "overlap", { { CLUSTER + 8, 8, 2 * CLUSTER } } },
  { "many-snapshots", "snapshots", { { QCOW2_N_SNAPSHOTS, 4, 9 } } },
  { "snapshots-beyond",
    "snapshot-table",
    { { QCOW2_N_SNAPSHOTS, 4, 1 }, { QCOW2_SNAPSHOTS, 8, 8 * CLUSTER } } },
  { "snapshot-without-end",
    "snapshot-table",
    { SNAPSHOT (5 * CLUSTER, 1), { 7 * CLUSTER + 36, 4, 0xffffffff } } },
  { "snapshot-with-l1-askew", "snapshot-table", { SNAPSHOT (8, 1) } },
  { "snapshot-with-l1-beyond", "snapshot-table", { SNAPSHOT (8 * CLUSTER, 1) } },
  { "snapshot-with-huge-l1", "snapshot-table", { SNAPSHOT (6 * CLUSTER, 0xffffffff) } },
  { "snapshot-without-l1", "snapshot-table", { SNAPSHOT (6 * CLUSTER, 0) } },
  { "snapshot-with-wild-l2",
    "snapshot-table",
    { SNAPSHOT (6 * CLUSTER, 1), { 4 * CLUSTER + 16, 8, 0 }, { 6 * CLUSTER, 8, 8 * CLUSTER } } },
  { "snapshot-over-l1", "overlap", { SNAPSHOT (3 * CLUSTER, 1) } },
  { "two-snapshots-with-one-l1",
    "overlap",
    { SNAPSHOT (6 * CLUSTER, 1),
      { 4 * CLUSTER + 16, 8, 0 },
      { 6 * CLUSTER, 8, 4 * CLUSTER },
      { QCOW2_N_SNAPSHOTS, 4, 2 },
      { 7 * CLUSTER + 40, 8, 6 * CLUSTER },
      { 7 * CLUSTER + 48, 8, (guint64) 1 << 32 },
      { 7 * CLUSTER + 76, 4, 0 } } },
  { "backing-format", "backing-file", { EXTENSION (0xe2792aca, 3) } },
  { "name-of-data-file", "data-file", { EXTENSION (0x44415441, 8) } },
  { "bitmaps-extension", "bitmaps", { EXTENSION (0x23852875, 24) } },
  { "luks-extension", "encryption", { EXTENSION (0x0537be77, 16) } },
  { "unknown-extension", "unknown-extension", { EXTENSION (0x12345678, 0) } },
  { "names-too-long", "extension", { EXTENSION (NAMES, 48 * 1000) } },
  { "names-of-odd-length", "extension", { EXTENSION (NAMES, 47) } },
  { "names-twice",
    "extension",
    { EXTENSION (NAMES, 0), { QCOW2_NAMES_AT + 8, 4, NAMES }, { QCOW2_NAMES_AT + 12, 4, 0 } } },
  { "boot-sector", "polyglot", { { 510, 2, 0x55aa } } },
  { "gpt", "polyglot", { { 512, 8, 0x4546492050415254 } } },
  { "l1-entry-reserved", "reserved-bits", { { 3 * CLUSTER, 8, 4 * CLUSTER | COPIED | 2 } } },
  { "l2-beyond", "l2-table", { { 3 * CLUSTER, 8, 8 * CLUSTER | COPIED } } },
  { "l2-askew", "l2-table", { { 3 * CLUSTER, 8, (4 * CLUSTER + 512) | COPIED } } },
  { "l2-nowhere", "l2-table", { { 3 * CLUSTER, 8, COPIED } } },
  { "l2-over-header", "l2-table", { { 3 * CLUSTER, 8, 512 } } },
  { "l2-over-l1", "l2-shared", { { 3 * CLUSTER, 8, 3 * CLUSTER } } },
  { "l2-twice",
    "l2-shared",
    { { QCOW2_L1_SIZE, 4, 2 }, { 3 * CLUSTER + 8, 8, 4 * CLUSTER | COPIED } } },
  { "compressed", "compressed", { { 4 * CLUSTER, 8, (guint64) 1 << 62 | 5 * CLUSTER } } },
  { "l2-entry-reserved", "reserved-bits", { { 4 * CLUSTER, 8, 5 * CLUSTER | 2 } } },
  { "l2-entry-high-reserved",
    "reserved-bits",
    { { 4 * CLUSTER, 8, 5 * CLUSTER | (guint64) 1 << 56 } } },
  { "cluster-beyond", "cluster", { { 4 * CLUSTER, 8, 8 * CLUSTER | COPIED } } },
  { "cluster-askew", "cluster", { { 4 * CLUSTER, 8, (5 * CLUSTER + 512) | COPIED } } },
  { "cluster-nowhere", "cluster", { { 4 * CLUSTER, 8, COPIED } } },
  { "zero-cluster-beyond", "cluster", { { 4 * CLUSTER, 8, (8 * CLUSTER) | 1 } } },
  { "cluster-twice", "cluster-shared", { { 4 * CLUSTER + 8, 8, 5 * CLUSTER } } },
  { "cluster-over-l2", "cluster-shared", { { 4 * CLUSTER, 8, 4 * CLUSTER } } },
  { "zero-cluster-twice", "cluster-shared", { { 4 * CLUSTER, 8, 6 * CLUSTER | 1 } } },
};

static void
test_flaw (gconstpointer data)
{
  const Flaw *flaw = data;
  g_autofree guint8 *bytes = qcow2_new (BITS);
  g_autofree char *codes = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (SpImage) image = NULL;
  int fd;

  for (gsize i = 0; i < G_N_ELEMENTS (flaw->patches); i++)
    qcow2_put (bytes, flaw->patches[i].at, flaw->patches[i].bytes, flaw->patches[i].value);
  fd = file_with (bytes, qcow2_length (BITS));
  codes = codes_of (fd, &sp_image_default_limits);
  g_assert_cmpstr (codes, ==, flaw->codes);
  image = sp_image_open (fd, &sp_image_default_limits, &error);
  g_assert_null (image);
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  (void) close (fd);
}

static void
test_cut (void)
{
  g_autofree guint8 *bytes = qcow2_new (BITS);
  static const struct {
    gsize length;
    const char *codes;
  } cuts[] = {
    { 0, "not-qcow2" },         { 3, "not-qcow2" },          { 4, "truncated" },
    { 103, "truncated" },       { 3 * CLUSTER, "l1-table" }, { 5 * CLUSTER - 1, "l2-table" },
    { 7 * CLUSTER, "cluster" }, { 7 * CLUSTER + 1, "" }, /* the last cluster of a file may be cut short */
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cuts); i++) {
    int fd = file_with (bytes, cuts[i].length);
    g_autofree char *codes = codes_of (fd, &sp_image_default_limits);

    g_assert_cmpstr (codes, ==, cuts[i].codes);
    (void) close (fd);
  }
}

static void
test_limits (void)
{
  g_autofree guint8 *bytes = qcow2_new (BITS);
  int fd = file_with (bytes, qcow2_length (BITS));
  const SpImageLimits exact = { qcow2_length (BITS), 8 * CLUSTER };
  const SpImageLimits file = { qcow2_length (BITS) - 1, 8 * CLUSTER };
  const SpImageLimits disk = { qcow2_length (BITS), 8 * CLUSTER - 1 };
  g_autofree char *of_exact = codes_of (fd, &exact), *of_file = codes_of (fd, &file),
                  *of_disk = codes_of (fd, &disk);

  g_assert_cmpstr (of_exact, ==, "");
  g_assert_cmpstr (of_file, ==, "file-too-large");
  g_assert_cmpstr (of_disk, ==, "virtual-size");
  (void) close (fd);
}

static void
test_no_file (void)
{
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_assert_cmpint (pipe (fds), ==, 0);
  g_assert_null (sp_image_check (fds[0], &sp_image_default_limits, &error));
  g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INVALID);
  (void) close (fds[0]);
  (void) close (fds[1]);
}

/* In a child that holds nothing, and then by the tool. */
static void
test_judged (void)
{
  g_autofree guint8 *bytes = qcow2_new (BITS);
  g_autoptr (GPtrArray) good = NULL;
  g_autoptr (GPtrArray) bad = NULL;
  g_autoptr (GError) error = NULL;
  int fd = file_with (bytes, qcow2_length (BITS));

  good = sp_image_judge (fd, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (good->len, ==, 0);
  (void) close (fd);
  qcow2_put (bytes, QCOW2_BACKING, 8, 0x200);
  fd = file_with (bytes, qcow2_length (BITS));
  bad = sp_image_judge (fd, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (bad->len, ==, 1);
  g_assert_cmpstr (((SpImageFinding *) bad->pdata[0])->code, ==, "backing-file");
  (void) close (fd);
}

/* A file that can't be read as an image has no root partition, and one without a table has none. */
static void
test_judged_root (void)
{
  g_autofree guint8 *bytes = qcow2_new (BITS);
  g_autofree char *sha256 = g_strnfill (64, '0');
  g_autoptr (GError) small = NULL;
  g_autoptr (GError) broken = NULL;
  int fd = file_with (bytes, qcow2_length (BITS));

  g_assert_false (sp_image_judge_root (fd, 1024 * 1024, sha256, &small));
  g_assert_error (small, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  (void) close (fd);
  fd = file_with ((const guint8 *) "QFI", 3);
  g_assert_false (sp_image_judge_root (fd, 1024 * 1024, sha256, &broken));
  g_assert_error (broken, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  (void) close (fd);
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static const guint all_bits[] = { 9, BITS, 16, 21 };

static void
test_good (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (all_bits); i++) {
    g_autofree guint8 *bytes = qcow2_new (all_bits[i]);
    int fd = file_with (bytes, qcow2_length (all_bits[i]));
    g_autofree char *codes = codes_of (fd, &sp_image_default_limits);

    g_assert_cmpstr (codes, ==, "");
    (void) close (fd);
  }
}

static void
test_read (void)
{
  static const char content[QCOW2_DISK_CLUSTERS] = { 'A', 0, 'B', 0, 0, 0, 0, 0 };

  for (gsize i = 0; i < G_N_ELEMENTS (all_bits); i++) {
    gsize cluster = (gsize) 1 << all_bits[i], size = QCOW2_DISK_CLUSTERS * cluster;
    g_autofree guint8 *bytes = qcow2_new (all_bits[i]), *disk = g_malloc (size);
    int fd = file_with (bytes, qcow2_length (all_bits[i]));
    g_autoptr (SpImage) image = sp_image_open (fd, &sp_image_default_limits, NULL);

    g_assert_nonnull (image);
    g_assert_cmpuint (sp_image_size (image), ==, size);
    g_assert_true (sp_image_read (image, 0, disk, size, NULL));
    for (gsize at = 0; at < size; at++)
      g_assert_cmpint (disk[at], ==, content[at / cluster]);
    g_assert_true (sp_image_read (image, cluster - 1, disk, 2, NULL));
    g_assert_cmpint (disk[0], ==, 'A');
    g_assert_cmpint (disk[1], ==, 0);
    (void) close (fd);
  }
}

static void
test_read_bounds (void)
{
  static const struct {
    guint64 offset;
    gsize length;
  } wrong[] = { { 8 * CLUSTER, 1 }, { 8 * CLUSTER - 1, 2 }, { ~(guint64) 0, 2 }, { 1, G_MAXSIZE } };
  g_autofree guint8 *bytes = qcow2_new (BITS);
  int fd = file_with (bytes, qcow2_length (BITS));
  g_autoptr (SpImage) image = sp_image_open (fd, &sp_image_default_limits, NULL);
  guint8 buffer[4];

  g_assert_true (sp_image_read (image, 8 * CLUSTER, buffer, 0, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_false (sp_image_read (image, wrong[i].offset, buffer, wrong[i].length, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INVALID);
  }
  (void) close (fd);
}

/* Another writes to the file after it was opened. */
static void
test_changed (void)
{
  static const guint64 entries[] = { (guint64) 1 << 62, 8 * CLUSTER, 512,
                                     G_GUINT64_CONSTANT (0x00fffffffffff000) };
  g_autofree guint8 *bytes = qcow2_new (BITS);

  for (gsize i = 0; i < G_N_ELEMENTS (entries); i++) {
    int fd = file_with (bytes, qcow2_length (BITS));
    g_autoptr (SpImage) image = sp_image_open (fd, &sp_image_default_limits, NULL);
    g_autoptr (GError) error = NULL;
    guint64 entry = GUINT64_TO_BE (entries[i]);
    guint8 buffer[4];

    g_assert_cmpint (pwrite (fd, &entry, sizeof entry, 4 * CLUSTER), ==, sizeof entry);
    g_assert_false (sp_image_read (image, 0, buffer, sizeof buffer, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
    (void) close (fd);
  }
}

int
main (int argc, char **argv)
{
  /* The child that reads images is this program, too. */
  if (argc >= 2 && g_str_equal (argv[1], "--image-child"))
    return sp_image_child_main (argc - 2, argv + 2);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/plain-images-are-good", test_good);
  for (gsize i = 0; i < G_N_ELEMENTS (flaws); i++) {
    g_autofree char *name = g_strdup_printf ("/image/%s-is-refused", flaws[i].name);

    g_test_add_data_func (name, &flaws[i], test_flaw);
  }
  g_test_add_func ("/image/what-is-cut-off-is-refused", test_cut);
  g_test_add_func ("/image/limits-hold", test_limits);
  g_test_add_func ("/image/no-regular-file-is-an-error", test_no_file);
  g_test_add_func ("/image/judged-by-a-child-and-the-tool", test_judged);
  g_test_add_func ("/image/root-partition-is-judged-by-a-child", test_judged_root);
  g_test_add_func ("/image/content-holes-and-zeros-are-read", test_read);
  g_test_add_func ("/image/reading-outside-the-disk-is-refused", test_read_bounds);
  g_test_add_func ("/image/change-while-reading-is-an-integrity-error", test_changed);
  return g_test_run ();
}
