/* test-loop.h - what unit tests share: start, and waiting for events instead of sleeping */
#pragma once

#include <gio/gio.h>

/* g_test_init(); warnings, which tests of failures cause on purpose, do not end the program. */
void test_init (int *argc, char ***argv);

typedef gboolean (*TestCondition) (gpointer data);

/* Run the default main context until @condition holds; the test fails after 5 seconds. */
void test_run_until (TestCondition condition, gpointer data);
/* Until *@flag. */
void test_run_until_set (const gboolean *flag);
/* Until nothing is ready to run; what waits for a timer stays. */
void test_drain (void);
