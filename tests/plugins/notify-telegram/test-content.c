/* test-content.c - a notice kept beyond its call; when to remind of it; its buttons; how many at once */
#include "bucket.h"
#include "content.h"
#include "message.h"
#include "notices.h"
#include "record.h"
#include "remind.h"
#include "update.h"

#include <string.h>

#include "base/json.h"

static const SpHostApi api = { .size = sizeof api, .json_read = sp_json_parse };
static SpHost host = { &api };

static const SpField fields[] = {
  { "Secret", "prod/<db> \"x\" \xf0\x9f\x98\x80", SP_FIELD_CORE },
  { "Reason", "to migrate", SP_FIELD_AGENT },
  { "Agent", "builder", SP_FIELD_CORE },
};
static const SpChoice choices[] = {
  { "code:AAAA", "AAAA", SP_CHOICE_PLAIN },           { "code:BBBB", "BBBB", SP_CHOICE_PLAIN },
  { "code:CCCC", "CCCC", SP_CHOICE_PLAIN },           { "code:DDDD", "DDDD", SP_CHOICE_PLAIN },
  { "later", "Ask me again later", SP_CHOICE_PLAIN }, { "deny", "Deny", SP_CHOICE_DENY },
};

static SpNotice
make_notice (void)
{
  return (SpNotice){ .size = sizeof (SpNotice),
                     .id = "n1",
                     .title = "A request",
                     .fields = fields,
                     .n_fields = G_N_ELEMENTS (fields),
                     .choices = choices,
                     .n_choices = G_N_ELEMENTS (choices),
                     .expires_at = 1000000 };
}

static void
test_written_and_read (void)
{
  SpNotice notice = make_notice ();
  g_autoptr (TgContent) content = tg_content_new (&notice);
  g_autofree char *word = tg_content_write (content, 4000);
  g_autoptr (TgContent) again = NULL;

  g_assert_nonnull (word);
  g_assert_null (strpbrk (word, " \n"));
  again = tg_content_read (&host, word, "n1");
  g_assert_nonnull (again);
  g_assert_cmpstr (again->notice.id, ==, "n1");
  g_assert_cmpstr (again->notice.title, ==, "A request");
  g_assert_cmpint (again->notice.expires_at, ==, 1000000);
  g_assert_cmpuint (again->notice.n_fields, ==, G_N_ELEMENTS (fields));
  g_assert_cmpstr (again->notice.fields[0].value, ==, fields[0].value);
  g_assert_cmpuint (again->notice.fields[1].origin, ==, SP_FIELD_AGENT);
  g_assert_cmpuint (again->notice.n_choices, ==, G_N_ELEMENTS (choices));
  g_assert_cmpstr (again->notice.choices[5].id, ==, "deny");
  g_assert_cmpuint (again->notice.choices[5].style, ==, SP_CHOICE_DENY);
}

static void
test_damaged (void)
{
  static const char *const rows[] = {
    "",
    "[]",
    "{",
    "{}",
    "{\"title\":\"x\",\"fields\":[],\"choices\":{}}",
    "{\"title\":5,\"fields\":[],\"choices\":[]}",
    "{\"title\":\"x\",\"fields\":[[\"a\",\"b\"]],\"choices\":[]}",
    "{\"title\":\"x\",\"fields\":[\"a\"],\"choices\":[]}",
    "{\"title\":\"x\",\"fields\":[],\"choices\":[[\"a\",[],1]]}",
    "{\"title\":\"x\",\"fields\":[[\"a\",\"b\",\"c\"]],\"choices\":[]}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *word = g_base64_encode ((const guchar *) rows[i], strlen (rows[i]));

    g_assert_null (tg_content_read (&host, word, "n1"));
  }
}

static void
test_summary (void)
{
  SpNotice notice = make_notice ();
  g_autofree char *all = tg_content_summary (&notice, 200);
  g_autofree char *cut = tg_content_summary (&notice, 10);
  g_autofree char *title = NULL;

  g_assert_cmpstr (all, ==, "Secret: prod/<db> \"x\" \xf0\x9f\x98\x80, Agent: builder");
  g_assert_cmpint (g_utf8_strlen (cut, -1), ==, 10);
  notice.n_fields = 0;
  title = tg_content_summary (&notice, 200);
  g_assert_cmpstr (title, ==, "A request");
}

static void
test_record_room (void)
{
  SpNotice notice = make_notice ();
  g_autofree char *long_value = g_strnfill (7000, 'x');
  SpField big = { "Secret", long_value, SP_FIELD_CORE };
  TgNotices *notices = tg_notices_new (&host);
  TgNotice *small = tg_notices_add (notices, "small", 0);
  TgNotice *large = tg_notices_add (notices, "large", 0);
  g_autofree char *record = NULL;

  tg_notice_set_content (small, &notice);
  notice.fields = &big;
  notice.n_fields = 1;
  tg_notice_set_content (large, &notice);
  g_assert_true (tg_record_holds_content (small));
  g_assert_false (tg_record_holds_content (large));
  record = tg_record_write (large);
  g_assert_cmpuint (strlen (record), <, 1000);
  tg_notices_free (notices);
}

static void
test_reminder (void)
{
  SpNotice notice = make_notice ();

  g_assert_cmpint (tg_remind_time (&notice, 1000000 - 600), ==, 1000000 - 300);
  g_assert_cmpint (tg_remind_time (&notice, 1000000 - 60), ==, 0);
  g_assert_cmpint (tg_remind_time (&notice, 2000000), ==, 0);
  notice.expires_at = 0;
  g_assert_cmpint (tg_remind_time (&notice, 1000), ==, 0);
  notice.expires_at = 1000000;
  notice.choices = &choices[5];
  notice.n_choices = 1;
  g_assert_cmpint (tg_remind_time (&notice, 1000000 - 600), ==, 0);
}

static void
test_codes_stand_side_by_side (void)
{
  static const guint lengths[] = { 3, 1, 1, 1 };
  SpNotice notice = make_notice ();
  TgNotices *notices = tg_notices_new (&host);
  TgPlace *place = tg_notice_place (tg_notices_add (notices, "n1", 0), 42);
  g_autoptr (JsonObject) keyboard = tg_message_keyboard (notices, place, &notice);
  JsonArray *rows = tg_member_array (keyboard, "inline_keyboard");

  g_assert_cmpuint (json_array_get_length (rows), ==, G_N_ELEMENTS (lengths));
  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    g_assert_cmpuint (json_array_get_length (json_array_get_array_element (rows, i)), ==,
                      lengths[i]);
  tg_notices_free (notices);
}

static void
test_bucket (void)
{
  gint64 second = G_USEC_PER_SEC, now = 100 * second;
  TgBucket bucket;

  tg_bucket_init (&bucket, 2, 10 * second, 0);
  g_assert_true (tg_bucket_take (&bucket, now));
  g_assert_true (tg_bucket_take (&bucket, now));
  g_assert_false (tg_bucket_take (&bucket, now));
  g_assert_true (tg_bucket_is_empty (&bucket, now + 9 * second));
  g_assert_false (tg_bucket_is_empty (&bucket, now + 10 * second));
  g_assert_true (tg_bucket_take (&bucket, now + 10 * second));
  g_assert_false (tg_bucket_take (&bucket, now + 11 * second));
  tg_bucket_give (&bucket);
  g_assert_true (tg_bucket_take (&bucket, now + 11 * second));
  for (int i = 0; i < 9; i++)
    tg_bucket_give (&bucket);
  now += 100000 * second;
  g_assert_true (tg_bucket_take (&bucket, now));
  g_assert_true (tg_bucket_take (&bucket, now));
  g_assert_false (tg_bucket_take (&bucket, now));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/telegram/content/read-as-it-was-written", test_written_and_read);
  g_test_add_func ("/telegram/content/damaged-is-not-used", test_damaged);
  g_test_add_func ("/telegram/content/summary-is-the-cores-words", test_summary);
  g_test_add_func ("/telegram/content/left-out-where-there-is-no-room", test_record_room);
  g_test_add_func ("/telegram/remind/half-time-of-what-asks", test_reminder);
  g_test_add_func ("/telegram/message/codes-stand-side-by-side", test_codes_stand_side_by_side);
  g_test_add_func ("/telegram/bucket/some-at-once-then-one-by-one", test_bucket);
  return g_test_run ();
}
