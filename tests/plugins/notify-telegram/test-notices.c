/* test-notices.c - what is shown where, over a restart; and the pace */
#include "notices.h"
#include "pace.h"

#include <string.h>

#include "base/json.h"

typedef struct {
  SpHost host;
  GHashTable *memory;
  guint alarms;
} Core;

static gboolean
fake_remember (SpHost *host, const char *key, const char *value, GError **error)
{
  Core *core = (Core *) host;

  if (value != NULL)
    g_hash_table_replace (core->memory, g_strdup (key), g_strdup (value));
  else
    g_hash_table_remove (core->memory, key);
  return TRUE;
}

static void
fake_recall_each (SpHost *host, const char *prefix, SpRecallFunc each, gpointer data)
{
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, ((Core *) host)->memory);
  while (g_hash_table_iter_next (&iter, &key, &value))
    if (g_str_has_prefix (key, prefix) && !each (key, value, data))
      return;
}

static void
fake_alarm (SpHost *host, const char *what)
{
  ((Core *) host)->alarms++;
}

static const SpHostApi api = {
  .size = sizeof api,
  .remember = fake_remember,
  .recall_each = fake_recall_each,
  .alarm = fake_alarm,
  .json_read = sp_json_parse,
};

static void
set_up (Core *core, gconstpointer data)
{
  core->host.api = &api;
  core->memory = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

static void
tear_down (Core *core, gconstpointer data)
{
  g_hash_table_unref (core->memory);
}

static void
test_restart (Core *core, gconstpointer data)
{
  TgNotices *notices = tg_notices_new (&core->host);
  TgNotice *notice = tg_notices_add (notices, "n/1", 0);
  TgPlace *place = tg_notice_place (notice, -100500);
  g_autofree char *token = g_strdup (tg_notices_button (notices, place, "for 1 h")->token);
  TgButton *button;

  notice->remind_at = TG_REMINDED;
  place->reminder = 9;
  place->unsure = 2;
  tg_place_add_message (place, 77);
  g_assert_true (tg_notices_keep (notices, notice, NULL));
  tg_notices_free (notices);

  notices = tg_notices_new (&core->host);
  tg_notices_load (notices);
  button = tg_notices_look_up (notices, token);
  g_assert_nonnull (button);
  g_assert_cmpstr (button->choice, ==, "for 1 h");
  g_assert_cmpstr (button->place->notice->id, ==, "n/1");
  g_assert_cmpint (button->place->chat, ==, -100500);
  g_assert_cmpuint (button->place->unsure, ==, 1);
  g_assert_cmpint (button->place->reminder, ==, 9);
  g_assert_cmpint (button->place->notice->remind_at, ==, TG_REMINDED);
  g_assert_true (tg_place_has_message (button->place, 77));
  g_assert_true (tg_notices_button (notices, button->place, "for 1 h") == button);
  tg_notices_free (notices);
}

static void
test_tokens (Core *core, gconstpointer data)
{
  TgNotices *notices = tg_notices_new (&core->host);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  TgNotice *notice = tg_notices_add (notices, "n1", 0);

  for (int i = 1; i <= 200; i++) {
    TgButton *button = tg_notices_button (notices, tg_notice_place (notice, i), "once");

    g_assert_cmpuint (strlen (button->token), ==, 22);
    g_assert_true (g_hash_table_add (seen, button->token));
  }
  tg_notices_free (notices);
}

static void
test_forget (Core *core, gconstpointer data)
{
  TgNotices *notices = tg_notices_new (&core->host);
  TgNotice *notice = tg_notices_add (notices, "n1", 0);
  g_autofree char *token =
      g_strdup (tg_notices_button (notices, tg_notice_place (notice, 42), "once")->token);

  g_assert_true (tg_notices_keep (notices, notice, NULL));
  g_assert_true (tg_notices_forget (notices, notice, NULL));
  g_assert_cmpuint (g_hash_table_size (core->memory), ==, 0);
  g_assert_null (tg_notices_find (notices, "n1"));
  g_assert_null (tg_notices_look_up (notices, token));
  g_assert_true (tg_notices_is_old (notices, token, 42));
  g_assert_false (tg_notices_is_old (notices, token, 43));
  tg_notices_free (notices);
}

static void
test_damaged (Core *core, gconstpointer data)
{
  static const char *const rows[] = {
    "",
    "2 0\n",
    "1\n",
    "1 0\nat x 0 a b -\n",
    "1 0\nat 1 0 a b 5,x\n",
    "1 0\nbutton t c\n",
    "1 0\nat 1 0 a b -\nbutton t\n",
    "1 0\nat 1 99999999999 a b -\n",
    "1 0\nnonsense\n",
    "1 0\nremind x\n",
    "1 0\nwaiting -5\n",
    "1 0\ncontent e30=\n",
    "1 0\nreminder 5\n",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    TgNotices *notices = tg_notices_new (&core->host);

    fake_remember (&core->host, "notice/n1", rows[i], NULL);
    tg_notices_load (notices);
    g_assert_null (tg_notices_find (notices, "n1"));
    g_assert_cmpuint (core->alarms, ==, i + 1);
    tg_notices_free (notices);
  }
}

/* What the version before this one has remembered. */
static void
test_earlier_record (Core *core, gconstpointer data)
{
  TgNotices *notices = tg_notices_new (&core->host);
  TgNotice *notice;

  fake_remember (&core->host, "notice/n1", "1 0\nat 42 0 a b 7,8\nbutton token once\n", NULL);
  tg_notices_load (notices);
  notice = tg_notices_find (notices, "n1");
  g_assert_nonnull (notice);
  g_assert_true (tg_notice_is_shown (notice));
  g_assert_null (notice->content);
  g_assert_cmpint (notice->remind_at, ==, 0);
  g_assert_nonnull (tg_notices_look_up (notices, "token"));
  g_assert_cmpuint (core->alarms, ==, 0);
  tg_notices_free (notices);
}

static void
test_stale (Core *core, gconstpointer data)
{
  TgNotices *notices = tg_notices_new (&core->host);

  fake_remember (&core->host, "notice/n1", "1 1000\n", NULL);
  tg_notices_load (notices);
  g_assert_null (tg_notices_find (notices, "n1"));
  g_assert_cmpuint (g_hash_table_size (core->memory), ==, 0);
  g_assert_cmpuint (core->alarms, ==, 0);
  tg_notices_free (notices);
}

static void
test_pace (void)
{
  TgPace *pace = tg_pace_new ();
  gint64 now = 1000 * G_USEC_PER_SEC;

  g_assert_cmpuint (tg_pace_wait (pace, 42, now), ==, 0);
  tg_pace_mark (pace, 42, now);
  g_assert_cmpuint (tg_pace_wait (pace, 42, now), >=, 1000);
  g_assert_cmpuint (tg_pace_wait (pace, 43, now), ==, 0);
  g_assert_cmpuint (tg_pace_wait (pace, 42, now + 2 * G_USEC_PER_SEC), ==, 0);
  for (int i = 0; i < 20; i++) {
    tg_pace_mark (pace, -7, now + i * 2 * G_USEC_PER_SEC);
    tg_pace_mark (pace, 7, now + i * 2 * G_USEC_PER_SEC);
  }
  now += 40 * G_USEC_PER_SEC;
  g_assert_cmpuint (tg_pace_wait (pace, 7, now), ==, 0);
  g_assert_cmpuint (tg_pace_wait (pace, -7, now), >=, 20000);
  g_assert_cmpuint (tg_pace_wait (pace, -7, now + 21 * G_USEC_PER_SEC), ==, 0);
  tg_pace_free (pace);
}

#define ADD(path, func) g_test_add (path, Core, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/telegram/notices/known-after-a-restart", test_restart);
  ADD ("/telegram/notices/tokens-are-all-different", test_tokens);
  ADD ("/telegram/notices/forgotten-is-forgotten", test_forget);
  ADD ("/telegram/notices/damaged-record-is-not-used", test_damaged);
  ADD ("/telegram/notices/earlier-record-is-read", test_earlier_record);
  ADD ("/telegram/notices/long-past-is-dropped", test_stale);
  g_test_add_func ("/telegram/pace/one-a-second-twenty-a-minute", test_pace);
  return g_test_run ();
}
