/* sql.h - what the tests of store-sqlite have beside those of every store */
#pragma once

#include "fixture.h"

#include <sqlite3.h>

/* Runs SQL on the database of a closed store, as another program would. */
void fixture_sql (Fixture *self, const char *path, const char *sql);
void fixture_copy_file (const char *from, const char *to);

/* The groups of tests. */
void add_life_tests (void);
void add_files_tests (void);
void add_failures_tests (void);
void add_crash_tests (void);
