/* test-update.c - updates, readable and not */
#include "update.h"

#include <string.h>

#include "base/json.h"

#define TAP(query) "{\"update_id\":7,\"callback_query\":{" query "}}"
#define FROM "\"from\":{\"id\":42,\"is_bot\":false}"
#define MESSAGE \
  "\"message\":{\"message_id\":5,\"date\":1,\"text\":\"a " \
  "b\",\"chat\":{\"id\":42,\"type\":\"private\"}}"

static TgTap *
tap_of (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node = sp_json_parse (text, strlen (text), 0, &error);

  g_assert_no_error (error);
  return tg_update_tap (node);
}

static void
test_good (void)
{
  g_autoptr (TgTap) tap = tap_of (TAP ("\"id\":\"q\"," FROM "," MESSAGE ",\"data\":\"d\""));
  g_autofree char *digest = tg_digest_text ("ab");

  g_assert_nonnull (tap);
  g_assert_null (tap->refusal);
  g_assert_cmpint (tap->update_id, ==, 7);
  g_assert_cmpint (tap->user, ==, 42);
  g_assert_cmpint (tap->chat, ==, 42);
  g_assert_cmpint (tap->message, ==, 5);
  g_assert_cmpstr (tap->data, ==, "d");
  g_assert_cmpstr (tap->text_digest, ==, digest);
  g_assert_true (tap->accessible && tap->private_chat && !tap->edited);
}

static void
test_refused (void)
{
  static const char *const rows[] = {
    TAP ("\"id\":\"q\"," MESSAGE ",\"data\":\"d\""),
    TAP ("\"id\":\"q\",\"from\":7," MESSAGE ",\"data\":\"d\""),
    TAP ("\"id\":\"q\",\"from\":{\"id\":42}," MESSAGE ",\"data\":\"d\""),
    TAP ("\"id\":\"q\",\"from\":{\"id\":42,\"is_bot\":true}," MESSAGE ",\"data\":\"d\""),
    TAP ("\"id\":\"q\",\"from\":{\"id\":\"42\",\"is_bot\":false}," MESSAGE ",\"data\":\"d\""),
    TAP ("\"id\":\"q\",\"from\":{\"id\":1e20,\"is_bot\":false}," MESSAGE ",\"data\":\"d\""),
    TAP ("\"id\":\"q\",\"from\":{\"id\":-42,\"is_bot\":false}," MESSAGE ",\"data\":\"d\""),
    TAP ("\"id\":\"q\",\"from\":{\"id\":1087968824,\"is_bot\":false}," MESSAGE ",\"data\":\"d\""),
    TAP ("\"id\":\"q\",\"from\":{\"id\":136817688,\"is_bot\":false}," MESSAGE ",\"data\":\"d\""),
    TAP ("\"id\":\"q\",\"from\":{\"id\":777000,\"is_bot\":false}," MESSAGE ",\"data\":\"d\""),
    TAP ("\"id\":\"q\",\"from\":{\"id\":43,\"is_bot\":false}," MESSAGE ",\"data\":\"d\""),
    TAP ("\"id\":\"q\"," FROM "," MESSAGE),
    TAP ("\"id\":\"q\"," FROM "," MESSAGE ",\"data\":5"),
    TAP ("\"id\":\"q\"," FROM ",\"data\":\"d\""),
    TAP ("\"id\":\"q\"," FROM ",\"message\":[],\"data\":\"d\""),
    TAP ("\"id\":\"q\"," FROM "," MESSAGE ",\"inline_message_id\":\"x\",\"data\":\"d\""),
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (TgTap) tap = tap_of (rows[i]);

    g_test_message ("%s", rows[i]);
    g_assert_nonnull (tap);
    g_assert_nonnull (tap->refusal);
  }
}

static void
test_no_taps (void)
{
  static const char *const rows[] = {
    "{}",
    "[]",
    "{\"update_id\":1}",
    "{\"callback_query\":[]}",
    "{\"callback_query\":{\"id\":5}}",
    "{\"callback_query\":{\"id\":\"\"}}",
    "{\"message\":{\"text\":\"/start\"}}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_null (tap_of (rows[i]));
}

static void
test_digest (void)
{
  g_autofree char *a = tg_digest_text ("Approve\n once ");
  g_autofree char *b = tg_digest_text ("Approve once");
  g_autofree char *c = tg_digest_text ("Approve twice");

  g_assert_cmpstr (a, ==, b);
  g_assert_cmpstr (a, !=, c);
}

static void
test_scan (void)
{
  static const struct {
    const char *text;
    gint64 id; /* 0: none */
  } rows[] = {
    { "{\"ok\":true,\"result\":[{\"update_id\":123,\"message\":[[[[", 123 },
    { "{\"ok\":true,\"result\":[{\"update_id\" : 9 ,", 9 },
    { "{\"ok\":true,\"result\":[{\"callback_query\":{\"data\":\"\\\"update_id\\\":5\"},"
      "\"update_id\":6}",
      6 },
    { "{\"ok\":true,\"result\":[{\"x\":{\"update_id\":5},\"update_id\":6}", 6 },
    { "{\"result\":[{\"update_id\":12", 0 },
    { "{\"result\":[{\"update_id\":99999999999999999999,", 0 },
    { "{\"result\":[{\"update_id\":-4,", 0 },
    { "{\"result\":[{\"update_id\":\"7\",", 0 },
    { "{\"update_id\":7,", 0 },
    { "<html>", 0 },
    { "\"\\", 0 },
    { "]]]]}}}}", 0 },
    { "", 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    gint64 id = 0;

    g_test_message ("%s", rows[i].text);
    g_assert_cmpint (tg_scan_update_id (rows[i].text, strlen (rows[i].text), &id), ==,
                     rows[i].id != 0);
    g_assert_cmpint (id, ==, rows[i].id);
  }
}

static void
test_scan_any_bytes (void)
{
  static const char alphabet[] = "{}[]\"\\:, 019\xff\x00update_id";

  for (int i = 0; i < 20000; i++) {
    gsize length = (gsize) g_test_rand_int_range (0, 60);
    g_autofree char *bytes =
        g_malloc (MAX (length, 1)); /* exact, so that a checker sees a step too far */
    gint64 id = 0;

    for (gsize j = 0; j < length; j++)
      bytes[j] = alphabet[g_test_rand_int_range (0, sizeof alphabet - 1)];
    if (tg_scan_update_id (bytes, length, &id))
      g_assert_cmpint (id, >, 0);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/telegram/update/a-tap", test_good);
  g_test_add_func ("/telegram/update/what-speaks-against-a-tap", test_refused);
  g_test_add_func ("/telegram/update/what-is-no-tap", test_no_taps);
  g_test_add_func ("/telegram/update/digest-leaves-out-white-space", test_digest);
  g_test_add_func ("/telegram/update/id-of-the-unreadable", test_scan);
  g_test_add_func ("/telegram/update/scanner-takes-any-bytes", test_scan_any_bytes);
  return g_test_run ();
}
