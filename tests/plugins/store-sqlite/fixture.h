/* fixture.h - a store in a folder of its own, and short ways to use it
 *
 * What must stay true: the tests see the plugin only through sp_plugin(), as the core does.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* truncate(), syscall(); so this header comes first */
#endif

#include <secret-proxy/store.h>
#include <sqlite3.h>

const SpPlugin *sp_plugin (void);

typedef struct {
  SpHost host; /* first: the plugin hands it back to the fake calls */
  char *folder;
  char *path;             /* of the database */
  const char *configured; /* the option "path"; NULL: absent */
  gpointer store;
} Fixture;

/* A test in a folder of its own, with the store started, or with nothing there yet. */
typedef struct {
  const char *name;
  void (*test) (Fixture *);
  gboolean closed;
} FixtureCase;

/* @cases: static. */
void fixture_add_cases (const FixtureCase *cases, gsize n_cases);

const struct _SpStoreOps *fixture_ops (void);
void fixture_open (Fixture *self);
gboolean fixture_try_open (Fixture *self, GError **error);
void fixture_close (Fixture *self);
/* Opening is refused with @code, and a sentence that has @words in it. */
void fixture_assert_refused (Fixture *self, SpErrorCode code, const char *words);
/* Runs SQL on the database of a closed store, as another program would. */
void fixture_sql (Fixture *self, const char *path, const char *sql);
void fixture_copy_file (const char *from, const char *to);

/* One row in table "t", text as value (NULL: remove). */
SpBatchResult fixture_put (Fixture *self, const char *key, gint64 expect, const char *text);
gboolean
fixture_try_put (Fixture *self, const char *key, gint64 expect, GBytes *value, GError **error);
/* The row is there, or not with @text NULL. */
void fixture_assert_row (Fixture *self, const char *key, gint64 revision, const char *text);
/* The keys of @table after @after, each followed by a space. */
char *fixture_keys (Fixture *self, const char *table, const char *after);

/* The groups of tests. */
void add_rows_tests (void);
void add_files_tests (void);
void add_failures_tests (void);
void add_crash_tests (void);
