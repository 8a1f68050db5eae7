/* test-anchor.c - the audit anchor: host/resident/anchor.h */
#include "host/resident/anchor.h"

#include <string.h>
#include <sys/stat.h>

#include "base/problem.h"
#include "folder.h"

static char *
content (Folder *folder)
{
  g_autoptr (SpSecret) secret = sp_file_read_private (folder->fd, "anchor", 4096, NULL);

  return secret ? g_strndup ((const char *) sp_secret_data (secret), sp_secret_length (secret))
                : NULL;
}

static void
assert_anchor (SpAnchor *anchor, guint64 expected_seq, const char *expected_head)
{
  const char *head;
  guint64 seq;

  g_assert_true (sp_anchor_get (anchor, &seq, &head));
  g_assert_cmpuint (seq, ==, expected_seq);
  g_assert_cmpstr (head, ==, expected_head);
}

static void
test_kept (Folder *folder, gconstpointer data)
{
  g_autoptr (SpAnchor) anchor = sp_anchor_open (folder->fd, NULL);
  const char *head;
  guint64 seq;
  struct stat st;

  g_assert_false (sp_anchor_get (anchor, &seq, &head));
  sp_anchor_update (anchor, 3, "abcd");
  g_clear_pointer (&anchor, sp_anchor_free);
  g_assert_cmpint (fstatat (folder->fd, "anchor", &st, 0), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
  anchor = sp_anchor_open (folder->fd, NULL);
  assert_anchor (anchor, 3, "abcd");
}

static void
test_forward (Folder *folder, gconstpointer data)
{
  g_autoptr (SpAnchor) anchor = sp_anchor_open (folder->fd, NULL);

  sp_anchor_update (anchor, 5, "55");
  sp_anchor_update (anchor, 4, "44");
  sp_anchor_update (anchor, 5, "56");
  assert_anchor (anchor, 5, "55");
}

/* Many updates at once make one write, of the newest. */
static void
test_coalesced (Folder *folder, gconstpointer data)
{
  g_autoptr (SpAnchor) anchor = sp_anchor_open (folder->fd, NULL);
  g_autofree char *text = NULL;

  for (guint i = 1; i <= 1000; i++) {
    g_autofree char *head = g_strdup_printf ("%08x", i);

    sp_anchor_update (anchor, i, head);
  }
  g_assert_null (content (folder));
  while ((text = content (folder)) == NULL)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpstr (text, ==, "{\"head\":\"000003e8\",\"seq\":1000}\n");
}

static void
test_nonsense (Folder *folder, gconstpointer data)
{
  g_autoptr (SpAnchor) anchor = sp_anchor_open (folder->fd, NULL);
  const char *head;
  guint64 seq;

  g_test_expect_message (NULL, G_LOG_LEVEL_WARNING, "*audit head*");
  sp_anchor_update (anchor, 1, "\"}");
  g_test_assert_expected_messages ();
  g_assert_false (sp_anchor_get (anchor, &seq, &head));
}

static void
test_damaged (Folder *folder, gconstpointer data)
{
  static const char *const texts[] = { "", "{}", "{\"head\":\"zz\",\"seq\":1}",
                                       "{\"head\":\"aa\"}" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_true (sp_file_write_private (folder->fd, "anchor", SP_FILE_REPLACE, texts[i],
                                          strlen (texts[i]), NULL));
    g_assert_null (sp_anchor_open (folder->fd, &error));
    g_assert_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD_TEST ("/anchor/is-there-after-the-end", test_kept);
  ADD_TEST ("/anchor/goes-only-forward", test_forward);
  ADD_TEST ("/anchor/many-updates-are-one-write", test_coalesced);
  ADD_TEST ("/anchor/what-is-no-head-is-dropped", test_nonsense);
  ADD_TEST ("/anchor/damaged-file-is-an-integrity-error", test_damaged);
  return g_test_run ();
}
