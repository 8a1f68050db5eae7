/* test-ports.h - the outside of a vault, in memory: a store that can fail, and notifiers that record
 *
 * Calls are answered one after the other from the main context, as plugin hosts do it.  Faults are
 * what a store can do to its caller: fail and have done nothing, have done it and lose the reply, take
 * its time, hold other rows than were written.
 */
#pragma once

#include "vault/ports.h"

typedef enum {
  TEST_FAULT_NONE,
  TEST_FAULT_NO_EFFECT,  /* an error; nothing was written */
  TEST_FAULT_LOST_REPLY, /* written, but the answer is an error */
} TestFault;

typedef struct {
  char *notifier;
  gboolean settled; /* settle() and not post() */
  char *id;
  char *title;
  gint64 expires_at;
  GPtrArray *fields;  /* "label|origin|value" */
  GPtrArray *choices; /* "id|style|label" */
  guint32 outcome;    /* SpOutcomeKind */
  char *text;         /* of the outcome */
} TestNotice;

typedef struct {
  SpVaultPorts table; /* to hand to the vault */
  GTree *rows;        /* "table/key" -> TestRow */
  GQueue jobs;
  guint source;

  TestFault fault; /* for the next fault_writes calls of write() */
  guint fault_writes;
  guint fault_reads;
  gboolean hold_writes; /* writes, and what comes after them, wait until test_ports_release() */
  guint n_writes;       /* calls of write() */
  guint n_batches;

  GPtrArray *notices; /* TestNotice, in the order of the calls */
  guint fail_notices; /* so many posts and settles fail with notice_error */
  guint fail_settles; /* so many settles */
  SpErrorCode notice_error;
  gboolean usable;
  const char *unusable; /* one notifier that is not; NULL: none */

  guint64 head_seq; /* audit_head() */
  char *head_hex;
  gint64 wake_ms; /* wake_in(), the last */
  guint wakes_at_once;
  guint fatals;
} TestPorts;

TestPorts *test_ports_new (void);
void test_ports_free (TestPorts *ports);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestPorts, test_ports_free)

void test_ports_fail_writes (TestPorts *ports, TestFault fault, guint n);
void test_ports_release (TestPorts *ports);
/* Notifiers and heads of before are forgotten; the rows stay. */
void test_ports_forget (TestPorts *ports);

/* ---- what a hostile store does ------------------------------------------------------------------- */

/* The name, "table/key", of the @n-th row of @table (0: the first; -1: the last); the ports'. */
const char *test_ports_row (TestPorts *ports, const char *table, int n);
guint test_ports_count (TestPorts *ports, const char *table);
void test_ports_remove (TestPorts *ports, const char *name);
void test_ports_clear (TestPorts *ports);
/* Change one bit of the row's value. */
void test_ports_flip (TestPorts *ports, const char *name, gsize byte);
/* Exchange the contents, revisions included, of two rows. */
void test_ports_swap (TestPorts *ports, const char *one, const char *other);
/* All rows as they are; give them back with _restore(), or one of them with _restore_row(). */
GTree *test_ports_save (TestPorts *ports);
void test_ports_restore (TestPorts *ports, GTree *saved);
void test_ports_restore_row (TestPorts *ports, GTree *saved, const char *name);

/* ---- notices --------------------------------------------------------------------------------------- */

/* The @n-th call of its kind (-1: the last); NULL: there was none. */
const TestNotice *test_ports_notice (TestPorts *ports, gboolean settled, int n);
guint test_ports_n_notices (TestPorts *ports, gboolean settled);
/* The last call of its kind for @notifier with @title; NULL: there was none.  And how many there were. */
const TestNotice *
test_ports_last (TestPorts *ports, const char *notifier, const char *title, gboolean settled);
guint test_ports_n (TestPorts *ports, const char *notifier, const char *title, gboolean settled);
/* The value of a field; NULL where there is none.  @ret_origin: may be NULL. */
const char *test_notice_field (const TestNotice *notice, const char *label, guint *ret_origin);
gboolean test_notice_offers (const TestNotice *notice, const char *choice);
