/* test-draft.c - where images are made: one place each, and nothing that a killed process leaves stays:
 * host/appliance/draft.h; and the same image brought by two at once: host/appliance/image-folder.h */
#include "host/appliance/draft.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cloud-fixture.h"

#define ROUNDS 5
#define AT_ONCE 4

static guint
count (const char *state)
{
  g_autofree char *images = g_build_filename (state, SP_IMAGES, NULL);
  g_autoptr (GDir) dir = g_dir_open (images, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static void
test_apart (CloudFixture *fixture, gconstpointer data)
{
  g_autoptr (SpDraft) first = sp_draft_new (fixture->dir, NULL);
  g_autoptr (SpDraft) second = sp_draft_new (fixture->dir, NULL);

  g_assert_cmpstr (first->path, !=, second->path);
  g_assert_true (g_file_test (first->path, G_FILE_TEST_IS_DIR));
  cloud_write (first->path, "file", "x");
  g_clear_pointer (&first, sp_draft_free);
  g_assert_cmpuint (count (fixture->dir), ==, 1);
  g_assert_true (g_file_test (second->path, G_FILE_TEST_IS_DIR));
}

/* Another process's, which is working on it; then it is killed. */
static void
test_left (CloudFixture *fixture, gconstpointer data)
{
  g_autoptr (SpDraft) draft = NULL;
  int pipes[2];
  char byte;
  pid_t child;

  g_assert_cmpint (pipe (pipes), ==, 0);
  child = fork ();
  /* It has nothing to remove, so it needs no thread of GLib's, which does not come over a fork. */
  if (child == 0) {
    draft = sp_draft_new (fixture->dir, NULL);
    cloud_write (draft->path, "file", "x");
    (void) !write (pipes[1], "x", 1);
    for (;;)
      (void) pause ();
  }
  g_assert_cmpint (read (pipes[0], &byte, 1), ==, 1);
  draft = sp_draft_new (fixture->dir, NULL);
  g_assert_cmpuint (count (fixture->dir), ==, 2);
  g_clear_pointer (&draft, sp_draft_free);
  (void) kill (child, SIGKILL);
  (void) waitpid (child, NULL, 0);
  draft = sp_draft_new (fixture->dir, NULL);
  g_assert_cmpuint (count (fixture->dir), ==, 1);
  (void) close (pipes[0]);
  (void) close (pipes[1]);
}

/* Half an image that was being removed. */
static void
test_going (CloudFixture *fixture, gconstpointer data)
{
  g_autofree char *id = g_strnfill (64, 'a');
  g_autofree char *going = g_strconcat (fixture->dir, "/" SP_IMAGES "/", id, ".old", NULL);
  g_autofree char *other = g_build_filename (fixture->dir, SP_IMAGES, id, NULL);
  g_autoptr (SpDraft) draft = NULL;

  g_assert_cmpint (g_mkdir_with_parents (going, 0755), ==, 0);
  g_assert_cmpint (g_mkdir_with_parents (other, 0755), ==, 0);
  cloud_write (going, "root", "x");
  draft = sp_draft_new (fixture->dir, NULL);
  g_assert_false (g_file_test (going, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (count (fixture->dir), ==, 2);
}

/* This program, as which it begins anew: nothing of GLib's own thread comes over a fork. */
#define SELF "/proc/self/exe"
#define BRING "--bring"

static int
bring (const char *dir, const char *state)
{
  g_autoptr (SpCloudImage) image = sp_cloud_image_open (dir, NULL);
  g_autoptr (SpCloudImage) kept = image ? sp_cloud_image_import (image, state, NULL) : NULL;

  return kept != NULL ? 0 : 1;
}

static void
bring_at_once (const SpCloudImage *image, const char *state)
{
  GSubprocess *all[AT_ONCE];

  for (guint i = 0; i < AT_ONCE; i++)
    all[i] = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, NULL, SELF, BRING, image->dir, state, NULL);
  for (guint i = 0; i < AT_ONCE; i++) {
    g_assert_true (g_subprocess_wait_check (all[i], NULL, NULL));
    g_object_unref (all[i]);
  }
}

static void
test_same (CloudFixture *fixture, gconstpointer data)
{
  g_autoptr (SpCloudImage) image = cloud_fixture_make (fixture);

  for (guint i = 0; i < ROUNDS; i++) {
    g_autofree char *name = g_strdup_printf ("state-%u", i);
    g_autofree char *state = g_build_filename (fixture->dir, name, NULL);

    bring_at_once (image, state);
    /* The image, and no draft. */
    g_assert_cmpuint (count (state), ==, 1);
  }
}

static void
set_up (CloudFixture *fixture, gconstpointer data)
{
  cloud_fixture_set_up (fixture);
}

static void
tear_down (CloudFixture *fixture, gconstpointer data)
{
  cloud_fixture_clear (fixture);
}

#define ADD(name, func) g_test_add (name, CloudFixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  if (argc == 4 && g_str_equal (argv[1], BRING))
    return bring (argv[2], argv[3]);
  g_test_init (&argc, &argv, NULL);
  ADD ("/draft/each-has-its-own", test_apart);
  ADD ("/draft/left-by-a-killed-process-goes-but-no-other", test_left);
  ADD ("/draft/what-was-being-removed-goes", test_going);
  ADD ("/draft/one-image-brought-by-several-at-once", test_same);
  return g_test_run ();
}
