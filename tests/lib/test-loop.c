/* test-loop.c - test-loop.h */
#include "test-loop.h"

#define GUARD_S 5

void
test_init (int *argc, char ***argv)
{
  g_test_init (argc, argv, NULL);
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
}

static gboolean
on_guard (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_CONTINUE;
}

void
test_run_until (TestCondition condition, gpointer data)
{
  gboolean over = FALSE;
  guint guard = g_timeout_add_seconds (GUARD_S, on_guard, &over);

  while (!over && !condition (data))
    (void) g_main_context_iteration (NULL, TRUE);
  g_source_remove (guard);
  g_assert_true (condition (data));
}

static gboolean
is_set (gpointer data)
{
  return *(const gboolean *) data;
}

void
test_run_until_set (const gboolean *flag)
{
  test_run_until (is_set, (gpointer) flag);
}

void
test_drain (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}
