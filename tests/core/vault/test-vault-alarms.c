/* test-vault-alarms.c - what the other channels hear when one of them raises an alarm */
#include <string.h>

#include "test-vault.h"

#define FROM_TG "Alarm from notifier tg"
#define FROM_MAIL "Alarm from notifier mail"
#define HOUR 3600

static TestVault *
start (char **ret_token)
{
  TestVault *test = test_vault_new ();

  test->second_notifier = TRUE;
  *ret_token = test_vault_start (test);
  return test;
}

static guint
shown (TestVault *test, const char *notifier, const char *title)
{
  test_drain ();
  return test_ports_n (test->ports, notifier, title, FALSE);
}

static gboolean
mail_has_heard (gpointer ports)
{
  return test_ports_n (ports, "mail", FROM_TG, FALSE) > 0;
}

static void
test_others_are_told (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = start (&token);
  const TestNotice *info;

  sp_vault_alarm (test->vault, "tg", "another program uses\nthe bot token\u202e");
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 1);
  g_assert_cmpuint (shown (test, "tg", FROM_TG), ==, 0);
  info = test_ports_last (test->ports, "mail", FROM_TG, FALSE);
  g_assert_cmpstr (test_notice_field (info, "What", NULL), ==,
                   "another program uses the bot token");
  g_assert_nonnull (test_notice_field (info, "When", NULL));
  g_assert_cmpuint (info->choices->len, ==, 0);
  g_assert_cmpint (info->expires_at, ==, test->clock.wall_us / G_USEC_PER_SEC + HOUR);
  g_assert_cmpuint (test_count_events (test, "notifier.alarm"), ==, 1);
  g_assert_cmpint (test_answer_to (test, info->id, "approve", "11", NULL), ==, SP_ANSWER_UNKNOWN);
}

/* An hour later it is taken away, once, and nothing of it is left. */
static void
test_taken_away (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = start (&token);

  sp_vault_alarm (test->vault, "tg", "what");
  test_drain ();
  g_assert_cmpint (test->ports->wake_ms, ==, 60 * 1000);
  test_clock_advance (&test->clock, HOUR - 1);
  sp_vault_tick (test->vault);
  test_drain ();
  g_assert_cmpint (test->ports->wake_ms, ==, 1000);
  g_assert_cmpuint (test_ports_n (test->ports, "mail", FROM_TG, TRUE), ==, 0);
  g_assert_cmpuint (test_ports_count (test->ports, "infos"), ==, 1);
  test_clock_advance (&test->clock, 1);
  sp_vault_tick (test->vault);
  test_drain ();
  g_assert_cmpuint (test_ports_n (test->ports, "mail", FROM_TG, TRUE), ==, 1);
  g_assert_cmpuint (test_ports_count (test->ports, "infos"), ==, 0);
  g_assert_cmpint (test->ports->wake_ms, ==, -1);
}

static void
test_after_a_restart (void)
{
  g_autofree char *token = NULL, *id = NULL;
  g_autoptr (TestVault) test = start (&token);

  sp_vault_alarm (test->vault, "tg", "what");
  test_drain ();
  id = g_strdup (test_ports_last (test->ports, "mail", FROM_TG, FALSE)->id);
  test_vault_reopen (test);
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 1);
  g_assert_cmpstr (test_ports_last (test->ports, "mail", FROM_TG, FALSE)->id, ==, id);
  test_vault_close (test);
  test_ports_forget (test->ports);
  test_clock_reboot (&test->clock, 2 * HOUR);
  test_vault_open (test);
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 0);
  g_assert_cmpstr (test_ports_last (test->ports, "mail", FROM_TG, TRUE)->id, ==, id);
  g_assert_cmpuint (test_ports_count (test->ports, "infos"), ==, 0);
}

/* The notifier that shows it is no longer configured. */
static void
test_nobody_left_to_take_it_away (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = start (&token);

  sp_vault_alarm (test->vault, "tg", "what");
  test_drain ();
  test->second_notifier = FALSE;
  test_vault_reopen (test);
  test_drain ();
  g_assert_cmpuint (test_ports_count (test->ports, "infos"), ==, 0);
}

/* Every kind has its own room, so that noise of one kind does not bury another. */
static void
test_noise_is_bounded (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = start (&token);

  for (guint i = 0; i < 100; i++) {
    g_autofree char *what = g_strdup_printf ("alarm %u", i % 50);

    g_assert_cmpint (test_answer_to (test, "nothing", "approve", "33", NULL), ==,
                     SP_ANSWER_NOT_ALLOWED);
    sp_vault_alarm (test->vault, "tg", what);
  }
  /* Four alarms, and one for a hundred taps of a stranger. */
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 5);
  sp_vault_alarm (test->vault, "mail", "me too");
  g_assert_cmpuint (shown (test, "tg", FROM_MAIL), ==, 1);
  g_assert_cmpuint (test_count_events (test, "notifier.alarm"), ==, 30);
  test_clock_advance (&test->clock, HOUR);
  sp_vault_tick (test->vault);
  test_drain ();
  sp_vault_alarm (test->vault, "tg", "alarm 0");
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 6);
}

static void
test_a_few_strangers_are_no_storm (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = start (&token);

  for (guint i = 0; i < 18; i++) {
    if (i % 9 == 0)
      test_clock_advance (&test->clock, 60);
    (void) test_answer_to (test, "nothing", "approve", "33", NULL);
  }
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 0);
  g_assert_cmpuint (test_count_events (test, "notifier.alarm"), ==, 18);
}

static void
test_trouble_while_somebody_waits (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = start (&token);
  g_autoptr (TestReply) made = NULL;

  sp_vault_trouble (test->vault, "tg", "the token is wrong");
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 0);
  made = test_create (test, token, "db");
  test_drain ();
  sp_vault_trouble (test->vault, "tg", "the token is wrong");
  sp_vault_trouble (test->vault, "tg", "the token is still wrong");
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 1);
  g_assert_cmpstr (
      test_notice_field (test_ports_last (test->ports, "mail", FROM_TG, FALSE), "What", NULL), ==,
      "it can't do its work: the token is wrong");
}

static void
test_wrong_code (void)
{
  g_autofree char *token = NULL, *wrong = NULL;
  g_autoptr (TestVault) test = start (&token);
  g_autoptr (TestReply) made = NULL, got = NULL;
  const TestNotice *ask;

  test_reply_free (test_put (test, "{\"name\":\"c\",\"confirm\":\"code\"}", "v"));
  made = test_create (test, token, "c");
  test_drain ();
  ask = test_ports_last (test->ports, "tg", TEST_ASK, FALSE);
  for (guint i = 0; i < 3 && wrong == NULL; i++) {
    g_auto (GStrv) parts = g_strsplit (g_ptr_array_index (ask->choices, i), "|", 2);

    if (!g_str_equal (parts[0] + strlen ("code:"), test_reply_string (made, "code")))
      wrong = g_strdup (parts[0]);
  }
  g_assert_cmpint (test_answer_at (test, "tg", TEST_ASK, wrong, "11", NULL), ==, SP_ANSWER_TAKEN);
  got = test_get (test, token, made->id);
  test_assert_status (got, "denied");
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 1);
  g_assert_nonnull (strstr (
      test_notice_field (test_ports_last (test->ports, "mail", FROM_TG, FALSE), "What", NULL),
      "alice chose a wrong code for secret c of agent a"));
  g_assert_cmpuint (test_count_events (test, "notifier.alarm"), ==, 1);
}

/* What somebody waits for goes first, and one that fails holds nothing up. */
static void
test_asks_go_first (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = start (&token);
  g_autoptr (TestReply) made = NULL;

  test->ports->fail_notices = 1;
  test->ports->notice_error = SP_ERROR_UNAVAILABLE;
  sp_vault_alarm (test->vault, "tg", "what");
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 1);
  g_assert_cmpint (test->ports->wake_ms, ==, 60 * 1000);
  made = test_create (test, token, "db");
  g_assert_cmpuint (shown (test, "mail", TEST_ASK), ==, 1);
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 1);
  test_clock_advance (&test->clock, 60);
  sp_vault_tick (test->vault);
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 2);
}

/* One request that can't be taken away from a channel must not keep alarms from it. */
static void
test_failing_settle_keeps_none_back (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = start (&token);
  g_autoptr (TestReply) made = test_create (test, token, "db"), gone = NULL;

  test_drain ();
  test->ports->fail_settles = G_MAXUINT;
  test->ports->notice_error = SP_ERROR_UNAVAILABLE;
  gone = test_cancel (test, token, made->id);
  test_drain ();
  sp_vault_alarm (test->vault, "tg", "what");
  test_run_until (mail_has_heard, test->ports);
}

/* That it was taken away can't be written down: it is written down later. */
static void
test_store_fails (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = start (&token);

  test_ports_fail_writes (test->ports, TEST_FAULT_NO_EFFECT, 1);
  sp_vault_alarm (test->vault, "tg", "not written");
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 0);
  sp_vault_alarm (test->vault, "tg", "written");
  g_assert_cmpuint (shown (test, "mail", FROM_TG), ==, 1);
  test_clock_advance (&test->clock, HOUR);
  test_ports_fail_writes (test->ports, TEST_FAULT_NO_EFFECT, 1);
  sp_vault_tick (test->vault);
  test_drain ();
  g_assert_cmpuint (test_ports_n (test->ports, "mail", FROM_TG, TRUE), ==, 1);
  g_assert_cmpuint (test_ports_count (test->ports, "infos"), ==, 1);
  g_assert_cmpint (test->ports->wake_ms, ==, 60 * 1000);
  test_clock_advance (&test->clock, 60);
  sp_vault_tick (test->vault);
  test_drain ();
  g_assert_cmpuint (test_ports_n (test->ports, "mail", FROM_TG, TRUE), ==, 1);
  g_assert_cmpuint (test_ports_count (test->ports, "infos"), ==, 0);
}

/* A notifier that never comes back keeps some of them standing; it does not keep new ones away. */
static void
test_old_ones_make_room (void)
{
  g_autofree char *token = NULL;
  g_autoptr (TestVault) test = start (&token);

  test->ports->fail_notices = G_MAXUINT;
  test->ports->notice_error = SP_ERROR_UNAVAILABLE;
  for (guint i = 0; i < 40; i++) {
    g_autofree char *what = g_strdup_printf ("alarm %u", i);

    if (i % 4 == 0)
      test_clock_advance (&test->clock, HOUR);
    sp_vault_alarm (test->vault, "tg", what);
    sp_vault_tick (test->vault);
    test_drain ();
    g_assert_cmpuint (test_ports_count (test->ports, "infos"), <=, 16);
  }
  test->ports->fail_notices = 0;
  test_clock_advance (&test->clock, 60);
  sp_vault_tick (test->vault);
  test_drain ();
  g_assert_cmpstr (
      test_notice_field (test_ports_last (test->ports, "mail", FROM_TG, FALSE), "What", NULL), ==,
      "alarm 39");
  g_assert_cmpuint (test_ports_count (test->ports, "infos"), ==, 4);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/vault/alarm/others-are-told", test_others_are_told);
  g_test_add_func ("/vault/alarm/failing-settle-keeps-none-back",
                   test_failing_settle_keeps_none_back);
  g_test_add_func ("/vault/alarm/taken-away", test_taken_away);
  g_test_add_func ("/vault/alarm/after-a-restart", test_after_a_restart);
  g_test_add_func ("/vault/alarm/nobody-left-to-take-it-away", test_nobody_left_to_take_it_away);
  g_test_add_func ("/vault/alarm/noise-is-bounded", test_noise_is_bounded);
  g_test_add_func ("/vault/alarm/a-few-strangers-are-no-storm", test_a_few_strangers_are_no_storm);
  g_test_add_func ("/vault/alarm/trouble-while-somebody-waits", test_trouble_while_somebody_waits);
  g_test_add_func ("/vault/alarm/wrong-code", test_wrong_code);
  g_test_add_func ("/vault/alarm/asks-go-first", test_asks_go_first);
  g_test_add_func ("/vault/alarm/store-fails", test_store_fails);
  g_test_add_func ("/vault/alarm/old-ones-make-room", test_old_ones_make_room);
  return g_test_run ();
}
