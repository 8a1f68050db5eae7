/* test-classify.c - what answers mean */
#include "classify.h"

#include <string.h>

#include "base/json.h"

static const SpHostApi api = { .size = sizeof api, .json_read = sp_json_parse };
static SpHost host = { &api };

#define NO(description) "{\"ok\":false,\"description\":\"" description "\"}"

static const struct {
  guint status;
  const char *header;
  const char *body;
  TgOutcome outcome;
  guint retry_after;
} rows[] = {
  { 200, NULL, "{\"ok\":true,\"result\":[]}", TG_OK, 0 },
  { 200, NULL, "{\"ok\":true}", TG_TRANSIENT, 0 },
  { 200, NULL, "{\"result\":[]}", TG_UNREADABLE, 0 },
  { 200, NULL, "<html>", TG_UNREADABLE, 0 },
  { 200, NULL, "", TG_TRANSIENT, 0 },
  { 502, NULL, "<html>", TG_TRANSIENT, 0 },
  { 404, NULL, "<html>", TG_TRANSIENT, 0 },
  { 401, NULL, "", TG_TRANSIENT, 0 },
  { 302, NULL, "", TG_TRANSIENT, 0 },
  { 500, NULL, NO ("Internal Server Error: restart"), TG_TRANSIENT, 0 },
  { 401, NULL, NO ("Unauthorized"), TG_TOKEN, 0 },
  { 404, NULL, NO ("Not Found"), TG_TOKEN, 0 },
  { 409, NULL, NO ("Conflict: terminated by other getUpdates request"), TG_CONFLICT, 0 },
  { 409, NULL, NO ("Conflict: can't use getUpdates method while webhook is active"), TG_WEBHOOK,
    0 },
  { 409, NULL, NO ("Conflict: terminated by setWebhook request"), TG_WEBHOOK, 0 },
  { 403, NULL, NO ("Forbidden: bot was blocked by the user"), TG_NO_CHAT, 0 },
  { 400, NULL, NO ("Bad Request: chat not found"), TG_NO_CHAT, 0 },
  { 400, NULL, NO ("Bad Request: message is not modified: x"), TG_SAME, 0 },
  { 400, NULL, NO ("Bad Request: message to edit not found"), TG_NO_MESSAGE, 0 },
  { 400, NULL, NO ("Bad Request: can't parse entities: x"), TG_BAD_ENTITIES, 0 },
  { 400, NULL, NO ("Bad Request: message thread not found"), TG_NO_TOPIC, 0 },
  { 400, NULL, NO ("Bad Request: query is too old and so on"), TG_STALE, 0 },
  { 400, NULL, NO ("Bad Request: something new"), TG_REFUSED, 0 },
  { 400, NULL, "{\"ok\":false,\"parameters\":{\"migrate_to_chat_id\":-1005}}", TG_MIGRATED, 0 },
  { 429, NULL, "{\"ok\":false,\"parameters\":{\"retry_after\":7}}", TG_FLOOD, 7 },
  { 429, "9", NO ("Too Many Requests"), TG_FLOOD, 9 },
  { 429, "9", "<html>", TG_FLOOD, 9 },
  { 429, NULL, NO ("Too Many Requests"), TG_FLOOD, 5 },
  { 429, NULL, "{\"ok\":false,\"parameters\":{\"retry_after\":-7}}", TG_FLOOD, 1 },
  { 429, NULL, "{\"ok\":false,\"parameters\":{\"retry_after\":86400}}", TG_FLOOD, 300 },
  { 429, "soon", NO ("Too Many Requests"), TG_FLOOD, 5 },
};

static void
test_rows (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (TgAnswer) answer = { 0 };

    g_test_message ("%u %s", rows[i].status, rows[i].body);
    tg_classify (&host, rows[i].status, rows[i].header, rows[i].body, strlen (rows[i].body), TRUE,
                 &answer);
    g_assert_cmpint (answer.outcome, ==, rows[i].outcome);
    g_assert_cmpuint (answer.retry_after, ==, rows[i].retry_after);
    g_assert_true ((answer.what == NULL) == (answer.outcome == TG_OK));
  }
}

static void
test_too_long (void)
{
  g_auto (TgAnswer) answer = { 0 };

  tg_classify (&host, 200, NULL, "{\"ok\":true,\"result\":1}", 22, FALSE, &answer);
  g_assert_cmpint (answer.outcome, ==, TG_UNREADABLE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/telegram/classify/each-answer", test_rows);
  g_test_add_func ("/telegram/classify/longer-than-may-be-read", test_too_long);
  return g_test_run ();
}
