/* test-sign.c - signatures and tokens; the constants were computed with openssl dgst -sha256 -hmac */
#include "sign.h"
#include "token.h"

#include <string.h>

#define SECRET "correct-horse-battery-staple"
#define NOW G_GINT64_CONSTANT (1700000000)
#define ANSWER "{\"answer\":1}"
#define ANSWER_MAC "074fb058daadd1a8d1ed802812a3b09b54411ea88b6c6fa1ffde1f47e5a965cc"
#define TOKEN_START "sp1.n1.grant%3A3600.alice%2Ephone.1700000000."

static GBytes *
key_new (void)
{
  return g_bytes_new_static (SECRET, strlen (SECRET));
}

static void
test_requests (void)
{
  g_autoptr (GBytes) key = key_new ();
  const char *body = "{\"event\":\"ping\"}";
  g_autofree char *posted = wh_sign_body (key, NOW, body, strlen (body));
  g_autofree char *fetched = wh_sign_fetch (key, NOW, "/answers?after=3");

  g_assert_cmpstr (
      posted, ==,
      "t=1700000000,v1=d9c477ef89880464f9c31879af841a6d1c57a080a6ec61beb2738375c9849be4");
  g_assert_cmpstr (
      fetched, ==,
      "t=1700000000,v1=6b6179cb37308b583682acc2987763ce7461d76906eb6831119aff9befe90915");
}

static WhSigned
check (const char *header, gint64 now)
{
  g_autoptr (GBytes) key = key_new ();
  gint64 age;

  return wh_check_answer (key, header, ANSWER, strlen (ANSWER), now, &age);
}

static void
test_answers (void)
{
  static const struct {
    const char *header;
    WhSigned expected;
  } rows[] = {
    { "t=1700000000,v1=" ANSWER_MAC, WH_SIGNED },
    { NULL, WH_UNSIGNED },
    { "", WH_UNSIGNED },
    { "t=,v1=" ANSWER_MAC, WH_UNSIGNED },
    { "t=-1700000000,v1=" ANSWER_MAC, WH_UNSIGNED },
    { "t= 1700000000,v1=" ANSWER_MAC, WH_UNSIGNED },
    { "t=1700000000, v1=" ANSWER_MAC, WH_UNSIGNED },
    { "t=1700000000,v1=" ANSWER_MAC "00", WH_UNSIGNED },
    { "t=1700000000,v1=", WH_UNSIGNED },
    { "t=1700000000", WH_UNSIGNED },
    { "v1=" ANSWER_MAC ",t=1700000000", WH_UNSIGNED },
    { "t=170000000099999999999999999999,v1=" ANSWER_MAC, WH_UNSIGNED },
    { "t=1700000000,v1=074FB058DAADD1A8D1ED802812A3B09B54411EA88B6C6FA1FFDE1F47E5A965CC",
      WH_UNSIGNED },
    { "t=1700000001,v1=" ANSWER_MAC, WH_WRONG },
    { "t=01700000000,v1=" ANSWER_MAC, WH_SIGNED }, /* the same number */
    { "t=1700000000,v1=074fb058daadd1a8d1ed802812a3b09b54411ea88b6c6fa1ffde1f47e5a965cd",
      WH_WRONG },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_test_message ("%s", rows[i].header != NULL ? rows[i].header : "none");
    g_assert_cmpint (check (rows[i].header, NOW), ==, rows[i].expected);
  }
}

static void
test_freshness (void)
{
  const char *good = "t=1700000000,v1=" ANSWER_MAC;

  g_assert_cmpint (check (good, NOW + WH_FRESH_S), ==, WH_SIGNED);
  g_assert_cmpint (check (good, NOW - WH_FRESH_S), ==, WH_SIGNED);
  g_assert_cmpint (check (good, NOW + WH_FRESH_S + 1), ==, WH_STALE);
  g_assert_cmpint (check (good, NOW - WH_FRESH_S - 1), ==, WH_STALE);
  /* What is forged is not called old. */
  g_assert_cmpint (check ("t=1,v1=" ANSWER_MAC, NOW), ==, WH_WRONG);
}

static void
test_a_request_is_no_answer (void)
{
  g_autoptr (GBytes) key = key_new ();
  g_autofree char *header = wh_sign_body (key, NOW, ANSWER, strlen (ANSWER));
  gint64 age;

  g_assert_cmpint (wh_check_answer (key, header, ANSWER, strlen (ANSWER), NOW, &age), ==, WH_WRONG);
}

static void
test_deliveries (void)
{
  g_autoptr (GBytes) key = key_new ();
  g_autofree char *first = wh_delivery (key, "notice", "n1");
  g_autofree char *again = wh_delivery (key, "notice", "n1");
  g_autofree char *other = wh_delivery (key, "settled", "n1");

  g_assert_cmpstr (first, ==, "c256cdac-f42f-8516-8b89-e0c0edfe317d");
  g_assert_true (g_uuid_string_is_valid (first));
  g_assert_cmpstr (first, ==, again);
  g_assert_cmpstr (first, !=, other);
}

/* ---- tokens ----------------------------------------------------------------------------------------------- */

static char *
token_new (GBytes *key)
{
  WhToken token = { (char *) "n1", (char *) "grant:3600", (char *) "alice.phone", NOW };

  return wh_token_make (key, &token);
}

static void
test_token (void)
{
  g_autoptr (GBytes) key = key_new ();
  g_autofree char *text = token_new (key);
  g_auto (WhToken) token = { 0 };

  g_assert_cmpstr (text, ==, TOKEN_START "285d653c1c34b7a64ace65a5a268fbbe");
  g_assert_cmpint (wh_token_read (key, text, &token), ==, WH_TOKEN_GOOD);
  g_assert_cmpstr (token.notice, ==, "n1");
  g_assert_cmpstr (token.choice, ==, "grant:3600");
  g_assert_cmpstr (token.person, ==, "alice.phone");
  g_assert_cmpint (token.expires_at, ==, NOW);
}

/* Every single character of a token matters. */
static void
test_token_changed_anywhere (void)
{
  g_autoptr (GBytes) key = key_new ();
  g_autofree char *text = token_new (key);

  for (gsize i = strlen ("sp1."); i < strlen (text); i++) {
    g_autofree char *forged = g_strdup (text);
    g_autofree char *cut = g_strndup (text, i);
    g_auto (WhToken) token = { 0 };

    forged[i] = forged[i] == 'a' ? 'b' : 'a';
    g_assert_cmpint (wh_token_read (key, forged, &token), ==, WH_TOKEN_FORGED);
    g_assert_cmpint (wh_token_read (key, cut, &token), ==, WH_TOKEN_FORGED);
    g_assert_null (token.notice);
  }
}

static void
test_token_of_another_secret (void)
{
  g_autoptr (GBytes) key = key_new ();
  g_autoptr (GBytes) other = g_bytes_new_static ("correct-horse-battery-stapl3", 28);
  g_autofree char *text = token_new (other);
  g_auto (WhToken) token = { 0 };

  g_assert_cmpint (wh_token_read (key, text, &token), ==, WH_TOKEN_FORGED);
}

static void
test_no_token (void)
{
  g_autoptr (GBytes) key = key_new ();
  g_autofree char *dots = g_strnfill (5000, '.');
  g_autofree char *many = g_strconcat ("sp1.", dots, NULL);
  g_auto (WhToken) token = { 0 };

  g_assert_cmpint (wh_token_read (key, "", &token), ==, WH_TOKEN_NONE);
  g_assert_cmpint (wh_token_read (key, "hello", &token), ==, WH_TOKEN_NONE);
  g_assert_cmpint (wh_token_read (key, "sp1", &token), ==, WH_TOKEN_NONE);
  g_assert_cmpint (wh_token_read (key, "sp1.", &token), ==, WH_TOKEN_FORGED);
  g_assert_cmpint (wh_token_read (key, many, &token), ==, WH_TOKEN_FORGED);
}

/* Parts that hold the separator can't be read as other parts. */
static void
test_token_parts_stay_apart (void)
{
  g_autoptr (GBytes) key = key_new ();
  WhToken one = { (char *) "a.b", (char *) "c", (char *) "d%2E", 0 };
  WhToken two = { (char *) "a", (char *) "b.c", (char *) "d.", 0 };
  g_autofree char *first = wh_token_make (key, &one);
  g_autofree char *second = wh_token_make (key, &two);
  g_auto (WhToken) token = { 0 };

  g_assert_cmpstr (first, !=, second);
  g_assert_cmpint (wh_token_read (key, first, &token), ==, WH_TOKEN_GOOD);
  g_assert_cmpstr (token.notice, ==, "a.b");
  g_assert_cmpstr (token.person, ==, "d%2E");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/webhook/sign/requests-are-signed-as-documented", test_requests);
  g_test_add_func ("/webhook/sign/answers-have-one-form", test_answers);
  g_test_add_func ("/webhook/sign/answers-count-for-a-while", test_freshness);
  g_test_add_func ("/webhook/sign/a-request-is-no-answer", test_a_request_is_no_answer);
  g_test_add_func ("/webhook/sign/deliveries-are-the-same-again", test_deliveries);
  g_test_add_func ("/webhook/token/comes-back-whole", test_token);
  g_test_add_func ("/webhook/token/a-change-anywhere-is-a-forgery", test_token_changed_anywhere);
  g_test_add_func ("/webhook/token/another-secret-is-a-forgery", test_token_of_another_secret);
  g_test_add_func ("/webhook/token/other-text-is-none", test_no_token);
  g_test_add_func ("/webhook/token/parts-stay-apart", test_token_parts_stay_apart);
  return g_test_run ();
}
