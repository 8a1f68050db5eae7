/* test-vault.h - a vault over test ports, with calls that wait for their answer */
#pragma once

#include "base/problem.h"
#include "test-clock.h"
#include "test-loop.h"
#include "test-ports.h"
#include "vault/vault.h"

#define TEST_ASK "An agent asks for a secret"
#define TEST_GRANT "A grant is open"

#define TEST_VAULT_ID "7b0e2f3c-0000-4000-8000-000000000001"

typedef struct {
  gboolean done;
  JsonNode *json;
  GError *error;
  char *id;
  char *value; /* redeem; with a NUL after it */
  gsize length;
  guint version;
} TestReply;

TestReply *test_reply_new (void);
void test_reply_free (TestReply *reply);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestReply, test_reply_free)
/* An SpVaultDone; @reply: a TestReply. */
void test_reply_take (const SpVaultResult *result, const GError *error, gpointer reply);
TestReply *test_reply_wait (TestReply *reply);

void test_assert_ok (const TestReply *reply);
void test_assert_problem (const TestReply *reply, SpProblemCode code);
void test_assert_status (const TestReply *reply, const char *status);
JsonObject *test_reply_object (const TestReply *reply);
const char *test_reply_string (const TestReply *reply, const char *member);
gint64 test_reply_int (const TestReply *reply, const char *member);
JsonArray *test_reply_items (const TestReply *reply);

typedef struct {
  TestClock clock;
  TestPorts *ports;
  SpVault *vault;
  /* For the next opening. */
  guint quorum;
  guint rate;
  guint pending;
  guint8 master; /* the byte that the master key consists of */
  const char *vault_id;
  gboolean no_notifier;
  gboolean second_notifier;
  guint64 anchor_seq;
  char *anchor_head;
  const char *image; /* NULL: it runs in no machine */
  guint index;
  const char *trust; /* NULL: not known */
} TestVault;

/* Not open yet: notifier "tg"; alice is 11 there, bob 22; at "mail", the second one, a@x and b@x. */
TestVault *test_vault_new (void);
void test_vault_free (TestVault *test);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestVault, test_vault_free)

/* What it is opened with next. */
SpVaultSettings *test_vault_settings (TestVault *test);
/* NULL: it is open. */
GError *test_vault_try_open (TestVault *test);
void test_vault_open (TestVault *test);
void test_vault_close (TestVault *test);
void test_vault_reopen (TestVault *test);
/* The host remembers the head of the audit log as it is now. */
void test_vault_anchor (TestVault *test);
/* A new vault with secret "db" ("hunter2") and agent "a"; its token. */
char *test_vault_start (TestVault *test);

TestReply *test_admin (TestVault *test, const char *method, const char *params);
TestReply *test_put (TestVault *test, const char *params, const char *value);
char *test_add_agent (TestVault *test, const char *name);

TestReply *test_create (TestVault *test, const char *token, const char *secret);
TestReply *test_create_full (TestVault *test, const char *token, const char *key,
                             const char *secret, const char *reason, gint64 ttl);
TestReply *test_get (TestVault *test, const char *token, const char *id);
TestReply *test_cancel (TestVault *test, const char *token, const char *id);
TestReply *test_redeem (TestVault *test, const char *token, const char *id);
/* By the administrator; @seconds 0: once. */
void test_approve (TestVault *test, const char *id, guint seconds);
/* A new request of @token for @secret, approved. */
char *test_approved (TestVault *test, const char *token, const char *secret, guint seconds);

/* Of @person to the last notice that was posted. */
SpAnswerResult test_answer (TestVault *test, const char *choice, const char *person);
SpAnswerResult test_answer_to (TestVault *test, const char *notice_id, const char *choice,
                               const char *person, char **ret_sentence);
/* To the last notice with this title that @notifier has shown. */
SpAnswerResult test_answer_at (TestVault *test, const char *notifier, const char *title,
                               const char *choice, const char *person, char **ret_sentence);
/* What @person asks through "tg"; @ret_text: may be NULL. */
SpAnswerResult
test_command (TestVault *test, const char *person, const char *command, char **ret_text);
/* How many entries of the audit log are of this kind. */
guint test_count_events (TestVault *test, const char *event);
