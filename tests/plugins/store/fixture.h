/* fixture.h - a store in a folder of its own, and short ways to use it; for every plugin of the kind
 *
 * What must stay true: the tests see the plugin only through sp_plugin(), as the core does.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* truncate(), syscall(); so this header comes first */
#endif

#include <secret-proxy/store.h>

const SpPlugin *sp_plugin (void);

typedef struct {
  SpHost host; /* first: the plugin hands it back to the fake calls */
  char *folder;
  char *path;             /* of the database, where there is one */
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

/* One row in table "t", text as value (NULL: remove). */
SpBatchResult fixture_put (Fixture *self, const char *key, gint64 expect, const char *text);
gboolean
fixture_try_put (Fixture *self, const char *key, gint64 expect, GBytes *value, GError **error);
/* The row is there, or not with @text NULL. */
void fixture_assert_row (Fixture *self, const char *key, gint64 revision, const char *text);
/* The keys of @table after @after, each followed by a space. */
char *fixture_keys (Fixture *self, const char *table, const char *after);

/* What every store must do: test-rows.c. */
void add_rows_tests (void);
