/* test-vault.c - test-vault.h */
#include "test-vault.h"

#include <string.h>

#include "base/json.h"

/* ---- answers -------------------------------------------------------------------------------------------- */

TestReply *
test_reply_new (void)
{
  return g_new0 (TestReply, 1);
}

void
test_reply_free (TestReply *reply)
{
  g_clear_pointer (&reply->json, json_node_unref);
  g_clear_error (&reply->error);
  g_free (reply->id);
  g_free (reply->value);
  g_free (reply);
}

void
test_reply_take (const SpVaultResult *result, const GError *error, gpointer data)
{
  TestReply *reply = data;

  g_assert_false (reply->done);
  g_assert_true ((result != NULL) != (error != NULL));
  reply->done = TRUE;
  if (error != NULL) {
    reply->error = g_error_copy (error);
    return;
  }
  reply->json = result->json ? json_node_copy (result->json) : NULL;
  reply->id = g_strdup (result->id);
  reply->version = result->version;
  if (result->value != NULL) {
    reply->length = sp_secret_length (result->value);
    reply->value = g_strndup ((const char *) sp_secret_data (result->value), reply->length);
  }
}

TestReply *
test_reply_wait (TestReply *reply)
{
  test_run_until_set (&reply->done);
  return reply;
}

void
test_assert_ok (const TestReply *reply)
{
  g_assert_true (reply->done);
  g_assert_no_error (reply->error);
}

void
test_assert_problem (const TestReply *reply, SpProblemCode code)
{
  g_assert_true (reply->done);
  g_assert_error (reply->error, SP_PROBLEM, (gint) code);
}

JsonObject *
test_reply_object (const TestReply *reply)
{
  test_assert_ok (reply);
  g_assert_nonnull (reply->json);
  return json_node_get_object (reply->json);
}

const char *
test_reply_string (const TestReply *reply, const char *member)
{
  return json_object_get_string_member_with_default (test_reply_object (reply), member, NULL);
}

gint64
test_reply_int (const TestReply *reply, const char *member)
{
  return json_object_get_int_member_with_default (test_reply_object (reply), member, -1);
}

JsonArray *
test_reply_items (const TestReply *reply)
{
  return json_object_get_array_member (test_reply_object (reply), "items");
}

void
test_assert_status (const TestReply *reply, const char *status)
{
  g_assert_cmpstr (test_reply_string (reply, "status"), ==, status);
}

/* ---- opening ---------------------------------------------------------------------------------------------- */

TestVault *
test_vault_new (void)
{
  TestVault *test = g_new0 (TestVault, 1);

  test_clock_init (&test->clock);
  test->ports = test_ports_new ();
  test->quorum = 1;
  test->rate = 100000;
  test->pending = 1000;
  test->master = 7;
  test->vault_id = TEST_VAULT_ID;
  return test;
}

void
test_vault_close (TestVault *test)
{
  test_ports_release (test->ports);
  test_drain ();
  g_clear_pointer (&test->vault, sp_vault_free);
}

void
test_vault_free (TestVault *test)
{
  test_vault_close (test);
  test_ports_free (test->ports);
  g_free (test->anchor_head);
  g_free (test);
}

static void
add_approver (SpVaultSettings *settings, const char *name, const char *id, const char *mail)
{
  SpApprover *approver = sp_approver_new (name);

  g_hash_table_insert (approver->ids, g_strdup ("tg"), g_strdup (id));
  g_hash_table_insert (approver->ids, g_strdup ("mail"), g_strdup (mail));
  g_ptr_array_add (settings->approvers, approver);
}

SpVaultSettings *
test_vault_settings (TestVault *test)
{
  SpVaultSettings *settings = sp_vault_settings_new ();

  settings->vault_id = g_strdup (test->vault_id);
  settings->master = sp_secret_new (32);
  memset (sp_secret_data (settings->master), test->master, 32);
  settings->quorum = test->quorum;
  settings->agent_rate = test->rate;
  settings->agent_pending = test->pending;
  if (!test->no_notifier)
    g_ptr_array_add (settings->notifiers, g_strdup ("tg"));
  if (test->second_notifier)
    g_ptr_array_add (settings->notifiers, g_strdup ("mail"));
  add_approver (settings, "alice", "11", "a@x");
  add_approver (settings, "bob", "22", "b@x");
  settings->anchor_seq = test->anchor_seq;
  settings->anchor_head = g_strdup (test->anchor_head);
  settings->image = g_strdup (test->image);
  settings->index = test->index;
  settings->trust = g_strdup (test->trust);
  return settings;
}

typedef struct {
  gboolean done;
  GError *error;
} Opened;

static void
on_opened (const GError *error, gpointer data)
{
  Opened *opened = data;

  opened->done = TRUE;
  opened->error = error ? g_error_copy (error) : NULL;
}

GError *
test_vault_try_open (TestVault *test)
{
  Opened opened = { 0 };

  test->vault = sp_vault_open (test_vault_settings (test), &test->ports->table, &test->clock.clock,
                               on_opened, &opened);
  test_run_until_set (&opened.done);
  test_drain ();
  return opened.error;
}

void
test_vault_open (TestVault *test)
{
  g_autoptr (GError) error = test_vault_try_open (test);

  g_assert_no_error (error);
}

void
test_vault_reopen (TestVault *test)
{
  test_vault_close (test);
  test_ports_forget (test->ports);
  test_vault_open (test);
}

void
test_vault_anchor (TestVault *test)
{
  test->anchor_seq = test->ports->head_seq;
  g_free (test->anchor_head);
  test->anchor_head = g_strdup (test->ports->head_hex);
}

char *
test_vault_start (TestVault *test)
{
  g_autoptr (TestReply) put = NULL;

  test_vault_open (test);
  put = test_put (test, "{\"name\":\"db\"}", "hunter2");
  test_assert_ok (put);
  return test_add_agent (test, "a");
}

/* ---- administrators ---------------------------------------------------------------------------------------- */

static TestReply *
admin_call (TestVault *test, const char *method, const char *params, SpSecret *secret)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node = sp_json_parse (params, strlen (params), 0, &error);
  TestReply *reply = test_reply_new ();

  g_assert_no_error (error);
  g_assert_true (sp_vault_admin (test->vault, method, json_node_get_object (node), secret,
                                 test_reply_take, reply));
  g_assert_false (reply->done);
  return test_reply_wait (reply);
}

TestReply *
test_admin (TestVault *test, const char *method, const char *params)
{
  return admin_call (test, method, params, NULL);
}

TestReply *
test_put (TestVault *test, const char *params, const char *value)
{
  g_autoptr (SpSecret) secret = sp_secret_new_from (value, strlen (value));

  return admin_call (test, "secret.put", params, secret);
}

char *
test_add_agent (TestVault *test, const char *name)
{
  g_autofree char *params = g_strdup_printf ("{\"name\":\"%s\"}", name);
  g_autoptr (TestReply) reply = test_admin (test, "agent.add", params);

  return g_strdup (test_reply_string (reply, "token"));
}

void
test_approve (TestVault *test, const char *id, guint seconds)
{
  g_autofree char *params = g_strdup_printf ("{\"id\":\"%s\",\"for\":%u}", id, seconds);
  g_autoptr (TestReply) reply = test_admin (test, "request.approve", params);

  test_assert_status (reply, "approved");
}

guint
test_count_events (TestVault *test, const char *event)
{
  g_autofree char *after = g_strdup ("0");
  guint n = 0;

  while (after != NULL) {
    g_autofree char *params = g_strdup_printf ("{\"after\":\"%s\"}", after);
    g_autoptr (TestReply) reply = test_admin (test, "audit.show", params);
    JsonArray *items = test_reply_items (reply);

    for (guint i = 0; i < json_array_get_length (items); i++)
      n += g_str_equal (
          json_object_get_string_member (json_array_get_object_element (items, i), "event"), event);
    g_free (after);
    after = g_strdup (test_reply_string (reply, "next"));
  }
  return n;
}

/* ---- agents ------------------------------------------------------------------------------------------------- */

TestReply *
test_create_full (TestVault *test, const char *token, const char *key, const char *secret,
                  const char *reason, gint64 ttl)
{
  TestReply *reply = test_reply_new ();

  sp_vault_create (test->vault, token, key, secret, reason, ttl, test_reply_take, reply);
  g_assert_false (reply->done);
  return test_reply_wait (reply);
}

TestReply *
test_create (TestVault *test, const char *token, const char *secret)
{
  return test_create_full (test, token, "", secret, "why", -1);
}

TestReply *
test_get (TestVault *test, const char *token, const char *id)
{
  TestReply *reply = test_reply_new ();

  sp_vault_get (test->vault, token, id, FALSE, NULL, test_reply_take, reply);
  g_assert_false (reply->done);
  return test_reply_wait (reply);
}

TestReply *
test_cancel (TestVault *test, const char *token, const char *id)
{
  TestReply *reply = test_reply_new ();

  sp_vault_cancel (test->vault, token, id, test_reply_take, reply);
  g_assert_false (reply->done);
  return test_reply_wait (reply);
}

TestReply *
test_redeem (TestVault *test, const char *token, const char *id)
{
  TestReply *reply = test_reply_new ();

  sp_vault_redeem (test->vault, token, id, test_reply_take, reply);
  g_assert_false (reply->done);
  return test_reply_wait (reply);
}

char *
test_approved (TestVault *test, const char *token, const char *secret, guint seconds)
{
  g_autoptr (TestReply) reply = test_create (test, token, secret);
  char *id = g_strdup (test_reply_string (reply, "id"));

  test_approve (test, id, seconds);
  return id;
}

/* ---- approvers ------------------------------------------------------------------------------------------------ */

typedef struct {
  gboolean done;
  SpAnswerResult result;
  char *sentence;
} Answered;

static void
on_answered (SpAnswerResult result, const char *sentence, gpointer data)
{
  Answered *answered = data;

  g_assert_false (answered->done);
  answered->done = TRUE;
  answered->result = result;
  answered->sentence = g_strdup (sentence);
}

static SpAnswerResult
answer (TestVault *test, const char *notifier, const char *notice_id, const char *choice,
        const char *person, char **ret_sentence)
{
  Answered answered = { 0 };

  sp_vault_answer (test->vault, notifier, notice_id, choice, person, "message 5", on_answered,
                   &answered);
  test_run_until_set (&answered.done);
  if (ret_sentence != NULL)
    *ret_sentence = g_steal_pointer (&answered.sentence);
  g_free (answered.sentence);
  return answered.result;
}

SpAnswerResult
test_command (TestVault *test, const char *person, const char *command, char **ret_text)
{
  Answered answered = { 0 };

  sp_vault_command (test->vault, "tg", person, command, "message 7", on_answered, &answered);
  test_run_until_set (&answered.done);
  if (ret_text != NULL)
    *ret_text = g_steal_pointer (&answered.sentence);
  g_free (answered.sentence);
  return answered.result;
}

SpAnswerResult
test_answer_to (TestVault *test, const char *notice_id, const char *choice, const char *person,
                char **ret_sentence)
{
  return answer (test, "tg", notice_id, choice, person, ret_sentence);
}

SpAnswerResult
test_answer_at (TestVault *test, const char *notifier, const char *title, const char *choice,
                const char *person, char **ret_sentence)
{
  const TestNotice *notice;

  test_drain ();
  notice = test_ports_last (test->ports, notifier, title, FALSE);
  g_assert_nonnull (notice);
  return answer (test, notifier, notice->id, choice, person, ret_sentence);
}

SpAnswerResult
test_answer (TestVault *test, const char *choice, const char *person)
{
  const TestNotice *notice;

  test_drain ();
  notice = test_ports_notice (test->ports, FALSE, -1);
  g_assert_nonnull (notice);
  return answer (test, notice->notifier, notice->id, choice, person, NULL);
}
