/* client-fixture.h - a keeper for tests: starts plugin hosts, remembers, counts
 *
 * Each test program that uses it is its own plugin host: it calls fixture_main() first.  The plugins
 * are those of tests/bad; $SP_TEST_PLUGINS is the folder where they were built.
 */
#pragma once

#include "base/problem.h"
#include "plugin/client-private.h"
#include "plugin/host.h"

#define FIXTURE_LIMIT_S 60 /* a test that waits longer than this has failed */

typedef struct {
  SpPluginClient *client;
  GSubprocess *process;
  char *state_dir;
  guint n_processes;
  guint n_exits;
  int last_status; /* exit status, or -1: a signal */
  gboolean fake;   /* the next process is a socket that the test holds */
  int fake_fd;
  gboolean forgetful; /* remember() fails */
  GHashTable *remembered;
  GPtrArray *alarms;
  GPtrArray *progress, *changed; /* what vm plugins say by themselves */
  GString *answers;
} Fixture;

gboolean fixture_on_limit (gpointer data);

#define WAIT_UNTIL(condition) \
  do { \
    guint limit_ = g_timeout_add_seconds (FIXTURE_LIMIT_S, fixture_on_limit, NULL); \
    while (!(condition)) \
      g_main_context_iteration (NULL, TRUE); \
    g_source_remove (limit_); \
  } while (0)

/* @file: "notify-honest.so"; @options: a{ss}, @secrets: a{say}, as GVariant text. */
void fixture_setup (Fixture *fixture, const char *file, const char *options, const char *secrets);
/* Without options and secrets. */
void fixture_setup_plain (Fixture *fixture, const char *file);
void fixture_wait_ready (Fixture *fixture);
void fixture_teardown (Fixture *fixture);

/* The alarm of that number, or NULL. */
const char *fixture_alarm (const Fixture *fixture, guint i);

typedef struct {
  guint n_done;
  GError *error;
} Result;

/* An SpPluginDone; @data is a Result. */
void fixture_on_done (const GError *error, gpointer data);
void
fixture_start_post (Fixture *fixture, const char *title, gboolean with_choices, Result *result);
/* Post and wait.  NULL where it went well; the message otherwise. */
char *fixture_post (Fixture *fixture, const char *title, gboolean with_choices);

/* For main(): TRUE where this process is to be a plugin host; it has been one, with @ret_status. */
gboolean fixture_main (int argc, char **argv, int *ret_status);
