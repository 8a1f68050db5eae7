/* test-host-view.c - what a plugin may remember, and how it comes back, in the plugin host and in `plugin check` alike */
#include "plugin/host-view.h"

#include "plugin/protocol.h"

static void
test_what_can_not_be_remembered (void)
{
  SpHostView view = { .instance = NULL };
  g_autofree char *long_key = g_strnfill (SP_REMEMBER_MAX_KEY + 1, 'k');
  g_autofree char *long_value = g_strnfill (SP_REMEMBER_MAX_VALUE + 1, 'v');

  sp_host_view_init (&view, NULL);
  g_assert_null (sp_host_view_fault (&view, "k", "v"));
  g_assert_null (sp_host_view_fault (&view, "k", NULL));
  g_assert_nonnull (sp_host_view_fault (&view, NULL, "v"));
  g_assert_nonnull (sp_host_view_fault (&view, "", "v"));
  g_assert_nonnull (sp_host_view_fault (&view, long_key, "v"));
  g_assert_nonnull (sp_host_view_fault (&view, "k", long_value));
  g_assert_nonnull (sp_host_view_fault (&view, "k\xff", "v"));
  g_assert_nonnull (sp_host_view_fault (&view, "k", "v\xff"));
  sp_host_view_clear (&view);
}

static void
test_a_full_one_still_changes_what_it_has (void)
{
  SpHostView view = { .instance = NULL };

  sp_host_view_init (&view, NULL);
  for (guint i = 0; i < SP_REMEMBER_MAX_KEYS; i++) {
    g_autofree char *key = g_strdup_printf ("%u", i);

    g_assert_null (sp_host_view_fault (&view, key, "v"));
    sp_host_view_keep (&view, key, "v");
  }
  g_assert_nonnull (sp_host_view_fault (&view, "more", "v"));
  g_assert_null (sp_host_view_fault (&view, "0", "another"));
  sp_host_view_keep (&view, "0", NULL);
  g_assert_null (sp_host_view_fault (&view, "more", "v"));
  sp_host_view_clear (&view);
}

static gboolean
note (const char *key, const char *value, gpointer data)
{
  g_string_append_printf (data, "%s=%s ", key, value);
  return TRUE;
}

static void
test_what_is_remembered_comes_in_order (void)
{
  g_autoptr (GString) seen = g_string_new (NULL);
  SpHostView view = { .instance = NULL };
  g_autofree char *one = NULL;

  sp_host_view_init (&view, NULL);
  sp_host_view_keep (&view, "b/2", "two");
  sp_host_view_keep (&view, "b/1", "one");
  sp_host_view_keep (&view, "a", "none");
  sp_host_view_recall_each (&view.host, "b/", note, seen);
  g_assert_cmpstr (seen->str, ==, "b/1=one b/2=two ");
  one = sp_host_view_recall (&view.host, "b/1");
  g_assert_cmpstr (one, ==, "one");
  g_assert_null (sp_host_view_recall (&view.host, "c"));
  sp_host_view_clear (&view);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/host-view/what-can-not-be-remembered", test_what_can_not_be_remembered);
  g_test_add_func ("/host-view/a-full-one-still-changes-what-it-has",
                   test_a_full_one_still_changes_what_it_has);
  g_test_add_func ("/host-view/what-is-remembered-comes-in-order",
                   test_what_is_remembered_comes_in_order);
  return g_test_run ();
}
