/* test-audit-layout.c - host/audit/layout.h: each byte of a disk is in some line, and tables are not believed */
#include "host/audit/layout.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB ((guint64) 1024 * 1024)

static void
put (int fd, guint64 offset, const void *data, gsize length)
{
  g_assert_cmpint (pwrite (fd, data, length, (off_t) offset), ==, (gssize) length);
}

static void
put_partition (int fd, guint index, guint8 kind, guint32 start, guint32 size)
{
  guint8 entry[16] = { [4] = kind };
  guint32 words[2] = { GUINT32_TO_LE (start), GUINT32_TO_LE (size) };

  memcpy (entry + 8, words, sizeof words);
  put (fd, 446 + 16 * index, entry, sizeof entry);
  put (fd, 510, "\x55\xaa", 2);
}

/* A file system in the one partition, from 1 MiB on. */
static int
disk (guint64 size)
{
  int fd = memfd_create ("disk", MFD_CLOEXEC);

  g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
  put_partition (fd, 0, 0x83, 2048, (guint32) (2 * MIB / 512));
  put (fd, MIB + 1080, "\x53\xef", 2);
  return fd;
}

/* Takes @fd.  NULL: refused. */
static char *
text_of (int fd)
{
  g_autoptr (SpAuditTree) tree = sp_audit_tree_new ();
  g_autoptr (GError) error = NULL;
  gboolean ok = sp_audit_layout (fd, tree, &error);

  g_assert_true (ok == (error == NULL));
  (void) close (fd);
  return ok ? sp_audit_tree_text (tree) : NULL;
}

static void
test_covered (void)
{
  /* Where a byte is changed, and the line that tells of it. */
  static const struct {
    guint64 at;
    const char *line;
  } places[] = {
    { 0, "gap code" },           { 439, "gap code" },         { 512, "gap before-1" },
    { MIB - 1, "gap before-1" }, { MIB, "part 1" },           { MIB + 1023, "part 1" },
    { 3 * MIB, "gap tail" },     { 4 * MIB - 1, "gap tail" },
  };
  g_autofree char *before = text_of (disk (4 * MIB));

  for (gsize i = 0; i < G_N_ELEMENTS (places); i++) {
    g_autofree char *now = NULL;
    g_autofree char *line = NULL;
    int fd = disk (4 * MIB);

    put (fd, places[i].at, "x", 1);
    now = text_of (fd);
    line = g_strndup (strstr (before, places[i].line), 100);
    line = (strchr (line, '\n')[0] = 0, g_steal_pointer (&line));
    g_assert_nonnull (strstr (now, places[i].line));
    g_assert_null (strstr (now, line));
  }
}

static void
test_grown (void)
{
  g_autofree char *small = text_of (disk (4 * MIB));
  g_autofree char *large = text_of (disk (64 * MIB));
  const char *tail = strstr (large, "gap tail 63963136 ");

  g_assert_cmpint ((gint64) (64 * MIB - 3 * MIB), ==, 63963136);
  g_assert_nonnull (tail);
  g_assert_nonnull (strstr (small, strchr (tail + 9, ' ')));
}

static void
test_whole (void)
{
  int fd = memfd_create ("disk", MFD_CLOEXEC);
  g_autofree char *text = NULL;

  g_assert_cmpint (ftruncate (fd, MIB), ==, 0);
  put (fd, 1080, "\x53\xef", 2);
  text = text_of (fd);
  g_assert_nonnull (strstr (text, "table none\n"));
  g_assert_nonnull (strstr (text, "part 1 0 1048576 0 ext "));
}

static void
test_refused (void)
{
  static const struct {
    guint8 kind;
    guint32 start, size;
  } bad[] = {
    { 0x05, 6144, 2048 },       /* extended */
    { 0x83, 6144, 0xffffffff }, /* beyond the disk */
    { 0x83, 4096, 2048 },       /* over the first one */
    { 0x83, 0, 2048 },          /* over the table */
    { 0x00, 6144, 2048 },       /* of no kind */
    { 0x83, 99999, 1 },         /* begins beyond it */
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autofree char *text = NULL;
    int fd = disk (4 * MIB);

    put_partition (fd, 1, bad[i].kind, bad[i].start, bad[i].size);
    text = text_of (fd);
    g_assert_null (text);
  }
}

static void
test_gpt (void)
{
  int fd = memfd_create ("disk", MFD_CLOEXEC), other;
  guint8 header[92] = "EFI PART", entry[128] = { 1 };
  guint64 two = GUINT64_TO_LE (2), first = GUINT64_TO_LE (2048), last = GUINT64_TO_LE (4095);
  guint32 shape[2] = { GUINT32_TO_LE (128), GUINT32_TO_LE (128) };
  g_autofree char *text = NULL;
  g_autofree char *refused = NULL;

  g_assert_cmpint (ftruncate (fd, 4 * MIB), ==, 0);
  put_partition (fd, 0, 0xee, 1, 8191);
  memcpy (header + 72, &two, 8);
  memcpy (header + 80, shape, 8);
  memcpy (entry + 32, &first, 8);
  memcpy (entry + 40, &last, 8);
  put (fd, 512, header, sizeof header);
  put (fd, 1024, entry, sizeof entry);
  other = dup (fd);
  refused = text_of (fd);
  g_assert_null (refused);
  put (other, 4 * MIB - 33 * 512, entry, sizeof entry);
  text = text_of (other);
  g_assert_nonnull (strstr (text, "table gpt\n"));
  g_assert_nonnull (strstr (text, "part 1 1048576 1048576 01000000"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/audit/layout/each-byte-outside-of-file-systems-counts", test_covered);
  g_test_add_func ("/audit/layout/a-grown-disk-is-the-same-one", test_grown);
  g_test_add_func ("/audit/layout/a-file-system-without-a-table", test_whole);
  g_test_add_func ("/audit/layout/tables-that-are-refused", test_refused);
  g_test_add_func ("/audit/layout/gpt-at-both-ends", test_gpt);
  return g_test_run ();
}
