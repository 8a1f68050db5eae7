/* test-link.c - a link between two processes, both ends in one: what goes over, and what cuts it */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/link-frame.h"
#include "base/problem.h"
#include "test-loop.h"

enum { ECHO, FAIL, LATER, N_METHODS };

static const SpLinkMethod methods[N_METHODS] = {
  [ECHO] = { "echo", "(us)", "(us)" },
  [FAIL] = { "fail", "()", "()" },
  [LATER] = { "later", "()", "u" },
};

typedef struct {
  SpLink *here, *there;
  int raw; /* of tests that have no link over there */
  SpLinkCall *kept;
  guint calls;
  guint closed_here, closed_there;
} Pair;

typedef struct {
  guint done;
  GVariant *reply;
  GBytes *blob;
  GError *error;
} Result;

static void
result_clear (Result *result)
{
  g_clear_pointer (&result->reply, g_variant_unref);
  g_clear_pointer (&result->blob, g_bytes_unref);
  g_clear_error (&result->error);
  result->done = 0;
}

static void
on_done (GVariant *reply, GBytes *blob, const GError *error, gpointer data)
{
  Result *result = data;

  result->done++;
  result->reply = reply ? g_variant_ref (reply) : NULL;
  result->blob = blob ? g_bytes_ref (blob) : NULL;
  result->error = error ? g_error_copy (error) : NULL;
}

static gboolean
has_result (gpointer data)
{
  return ((const Result *) data)->done > 0;
}

static void
serve_echo (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  ((Pair *) data)->calls++;
  sp_link_call_reply (call, args, blob);
}

static void
serve_fail (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  g_autoptr (GError) error = sp_problem_new_full (SP_PROBLEM_RATE_LIMITED, "no", "name", 30);

  sp_link_call_fail (call, error);
}

static void
serve_later (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data)
{
  Pair *pair = data;

  pair->calls++;
  pair->kept = call;
}

static const SpLinkHandler handlers[N_METHODS] = { serve_echo, serve_fail, serve_later };

static void
on_closed (SpLink *link, const GError *why, gpointer data)
{
  Pair *pair = data;

  g_assert_error (why, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  if (link == pair->here)
    pair->closed_here++;
  else
    pair->closed_there++;
}

static SpLink *
link_new (int fd, Pair *pair)
{
  const SpLinkSetup setup = { methods, handlers, N_METHODS, methods, N_METHODS, on_closed, pair };

  return sp_link_new (fd, &setup);
}

static void
set_up (Pair *pair, gconstpointer raw)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  pair->here = link_new (fds[0], pair);
  pair->raw = raw ? fds[1] : -1;
  pair->there = raw ? NULL : link_new (fds[1], pair);
}

static void
tear_down (Pair *pair, gconstpointer raw)
{
  if (pair->kept != NULL)
    sp_link_call_reply (pair->kept, g_variant_new_uint32 (0), NULL);
  sp_link_unref (pair->here);
  sp_link_unref (pair->there);
  if (pair->raw >= 0)
    (void) close (pair->raw);
}

static void
call (Pair *pair, guint method, GVariant *args, GBytes *blob, guint ms, Result *result)
{
  sp_link_call (pair->here, method, args, blob, ms, on_done, result);
  g_assert_cmpuint (result->done, ==, 0);
}

static void
echo (Pair *pair, GBytes *blob, Result *result)
{
  call (pair, ECHO, g_variant_new ("(us)", 5, "five"), blob, 0, result);
  test_run_until (has_result, result);
  g_assert_no_error (result->error);
  g_assert_cmpstr (g_variant_get_type_string (result->reply), ==, "(us)");
}

/* ---- between two links ----------------------------------------------------------------------------------- */

static void
test_both_ways (Pair *pair, gconstpointer raw)
{
  Result one = { 0 }, other = { 0 };
  const char *text;
  guint32 number;

  call (pair, ECHO, g_variant_new ("(us)", 5, "five"), NULL, 0, &one);
  sp_link_call (pair->there, ECHO, g_variant_new ("(us)", 6, "six"), NULL, 0, on_done, &other);
  test_run_until (has_result, &one);
  test_run_until (has_result, &other);
  g_variant_get (one.reply, "(u&s)", &number, &text);
  g_assert_cmpuint (number, ==, 5);
  g_assert_cmpstr (text, ==, "five");
  g_variant_get (other.reply, "(u&s)", &number, &text);
  g_assert_cmpuint (number, ==, 6);
  result_clear (&one);
  result_clear (&other);
}

static void
test_blobs (Pair *pair, gconstpointer raw)
{
  g_autoptr (GBytes) empty = g_bytes_new (NULL, 0), some = g_bytes_new ("\0x\xff", 3);
  Result result = { 0 };

  echo (pair, NULL, &result);
  g_assert_null (result.blob);
  result_clear (&result);
  echo (pair, empty, &result);
  g_assert_nonnull (result.blob);
  g_assert_cmpuint (g_bytes_get_size (result.blob), ==, 0);
  result_clear (&result);
  echo (pair, some, &result);
  g_assert_true (g_bytes_equal (result.blob, some));
  result_clear (&result);
}

static void
test_error (Pair *pair, gconstpointer raw)
{
  Result result = { 0 };

  call (pair, FAIL, g_variant_new ("()"), NULL, 0, &result);
  test_run_until (has_result, &result);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_RATE_LIMITED);
  g_assert_cmpstr (result.error->message, ==, "no");
  g_assert_cmpstr (sp_problem_field (result.error), ==, "name");
  g_assert_cmpuint (sp_problem_retry_after (result.error), ==, 30);
  result_clear (&result);
}

static void
test_timeout_and_late_reply (Pair *pair, gconstpointer raw)
{
  Result result = { 0 }, next = { 0 };

  call (pair, LATER, g_variant_new ("()"), NULL, 20, &result);
  test_run_until (has_result, &result);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT);
  g_assert_nonnull (strstr (result.error->message, "later"));
  sp_link_call_reply (g_steal_pointer (&pair->kept), g_variant_new_uint32 (1), NULL);
  echo (pair, NULL, &next);
  g_assert_cmpuint (result.done, ==, 1);
  g_assert_true (sp_link_is_open (pair->here));
  result_clear (&result);
  result_clear (&next);
}

static void
test_large (Pair *pair, gconstpointer raw)
{
  gsize size = SP_LINK_MAX_FRAME - 4096;
  g_autofree char *data = g_strnfill (size, 'x');
  g_autoptr (GBytes) blob = g_bytes_new (data, size);
  Result result = { 0 };

  echo (pair, blob, &result);
  g_assert_true (g_bytes_equal (result.blob, blob));
  result_clear (&result);
}

static void
test_too_large (Pair *pair, gconstpointer raw)
{
  g_autofree char *data = g_strnfill (SP_LINK_MAX_FRAME, 'x');
  g_autoptr (GBytes) blob = g_bytes_new (data, SP_LINK_MAX_FRAME);
  Result result = { 0 };

  call (pair, ECHO, g_variant_new ("(us)", 5, "five"), blob, 0, &result);
  test_run_until (has_result, &result);
  g_assert_nonnull (result.error);
  g_assert_cmpuint (pair->calls, ==, 0);
  result_clear (&result);
  echo (pair, NULL, &result);
  result_clear (&result);
}

static void
test_answer_of_wrong_type (Pair *pair, gconstpointer raw)
{
  Result result = { 0 };

  call (pair, LATER, g_variant_new ("()"), NULL, 0, &result);
  test_drain ();
  sp_link_call_reply (g_steal_pointer (&pair->kept), g_variant_new_string ("no number"), NULL);
  test_run_until (has_result, &result);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_INTERNAL);
  g_assert_true (sp_link_is_open (pair->here));
  result_clear (&result);
}

static void
test_close_fails_open_calls (Pair *pair, gconstpointer raw)
{
  Result result = { 0 }, after = { 0 };

  call (pair, LATER, g_variant_new ("()"), NULL, 1000, &result);
  test_drain ();
  sp_link_close (pair->here);
  test_run_until (has_result, &result);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  g_assert_cmpuint (pair->closed_here, ==, 0);
  call (pair, ECHO, g_variant_new ("(us)", 5, "five"), NULL, 0, &after);
  test_run_until (has_result, &after);
  g_assert_error (after.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  test_drain ();
  g_assert_cmpuint (pair->closed_there, ==, 1);
  result_clear (&result);
  result_clear (&after);
}

static void
test_answer_after_close (Pair *pair, gconstpointer raw)
{
  Result result = { 0 };

  call (pair, LATER, g_variant_new ("()"), NULL, 0, &result);
  test_drain ();
  sp_link_close (pair->there);
  sp_link_call_reply (g_steal_pointer (&pair->kept), g_variant_new_uint32 (1), NULL);
  test_run_until (has_result, &result);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  result_clear (&result);
}

/* ---- against a peer that breaks the rules ------------------------------------------------------------------ */

static void
send_raw (Pair *pair, gconstpointer data, gsize length)
{
  g_assert_cmpint (send (pair->raw, data, length, MSG_NOSIGNAL), ==, (gssize) length);
  test_drain ();
}

static void
assert_cut (Pair *pair)
{
  g_assert_false (sp_link_is_open (pair->here));
  g_assert_cmpuint (pair->closed_here, ==, 1);
  g_assert_cmpuint (pair->calls, ==, 0);
}

static const guint32 bad_headers[][6] = {
  { 0, SP_FRAME_CALL, 1, FAIL, 0, 0 },
  { 23, SP_FRAME_CALL, 1, FAIL, 0, 0 },
  { SP_LINK_MAX_FRAME + 1, SP_FRAME_CALL, 1, FAIL, 1, 0 },
  { 0xffffffff, SP_FRAME_CALL, 1, FAIL, 1, 0 },
  { 24, 0, 1, FAIL, 0, 0 },
  { 24, 9, 1, FAIL, 0, 0 },
  { 24, SP_FRAME_CALL, 1, N_METHODS, 0, 0 },
  { 24, SP_FRAME_CALL, 1, 0xffffffff, 0, 0 },
  { 24, SP_FRAME_REPLY, 1, N_METHODS, 0, 0 },
  { 24, SP_FRAME_CALL, 1, FAIL, 1, 0 },
  { 24, SP_FRAME_CALL, 1, FAIL, 0xfffffff9, 0 },
  { 24, SP_FRAME_CALL, 1, FAIL, 0, 2 },
  { 24, SP_FRAME_CALL, 1, FAIL, 0, 0xffffffff },
  { 24, SP_FRAME_CALL, 1, ECHO, 0, 0 },
  { 24, SP_FRAME_ERROR, 1, 0, 0, 0 },
};

static void
test_bad_header (Pair *pair, gconstpointer raw)
{
  for (gsize i = 0; i < G_N_ELEMENTS (bad_headers); i++) {
    guint32 words[6];

    for (guint j = 0; j < 6; j++)
      words[j] = GUINT32_TO_LE (bad_headers[i][j]);
    send_raw (pair, words, sizeof words);
    assert_cut (pair);
    tear_down (pair, raw);
    memset (pair, 0, sizeof *pair);
    set_up (pair, raw);
  }
}

static void
send_frame (Pair *pair, SpFrameKind kind, guint32 id, guint method, GVariant *value)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (value);
  g_autoptr (GBytes) frame = sp_frame_build (kind, id, method, owned, NULL);

  send_raw (pair, g_bytes_get_data (frame, NULL), g_bytes_get_size (frame));
}

static void
test_value_not_normal (Pair *pair, gconstpointer raw)
{
  g_autoptr (GBytes) bytes = g_bytes_new ("\5\0\0\0no end", 10);

  send_frame (pair, SP_FRAME_CALL, 1, ECHO,
              g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
  assert_cut (pair);
}

static void
test_value_of_wrong_type (Pair *pair, gconstpointer raw)
{
  send_frame (pair, SP_FRAME_CALL, 1, FAIL, g_variant_new_string ("not ()"));
  assert_cut (pair);
}

static void
test_reply_for_another_method (Pair *pair, gconstpointer raw)
{
  Result result = { 0 };

  call (pair, ECHO, g_variant_new ("(us)", 5, "five"), NULL, 0, &result);
  send_frame (pair, SP_FRAME_REPLY, 1, LATER, g_variant_new_uint32 (5));
  assert_cut (pair);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  result_clear (&result);
}

static void
test_reply_to_nothing (Pair *pair, gconstpointer raw)
{
  send_frame (pair, SP_FRAME_REPLY, 77, LATER, g_variant_new_uint32 (5));
  g_assert_true (sp_link_is_open (pair->here));
}

static void
test_hostile_error_codes (Pair *pair, gconstpointer raw)
{
  static const struct {
    guint domain;
    gint code;
  } codes[] = { { 0, -1 }, { 0, G_MAXINT }, { 1, -1 }, { 1, G_MAXINT }, { 99, 5 } };

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++) {
    Result result = { 0 };

    call (pair, FAIL, g_variant_new ("()"), NULL, 0, &result);
    send_frame (pair, SP_FRAME_ERROR, i + 1, FAIL,
                g_variant_new (SP_FRAME_ERROR_TYPE, codes[i].domain, codes[i].code, "x", "", 0));
    test_run_until (has_result, &result);
    g_assert_nonnull (result.error);
    result_clear (&result);
  }
}

static void
test_bytes_one_at_a_time (Pair *pair, gconstpointer raw)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new ("(us)", 5, "five"));
  g_autoptr (GBytes) frame = sp_frame_build (SP_FRAME_CALL, 1, ECHO, value, NULL);
  const guint8 *data = g_bytes_get_data (frame, NULL);

  for (gsize i = 0; i < g_bytes_get_size (frame); i++) {
    g_assert_cmpuint (pair->calls, ==, 0);
    send_raw (pair, data + i, 1);
  }
  g_assert_cmpuint (pair->calls, ==, 1);
}

static void
test_peer_goes_in_the_middle (Pair *pair, gconstpointer raw)
{
  Result result = { 0 };

  call (pair, ECHO, g_variant_new ("(us)", 5, "five"), NULL, 0, &result);
  send_raw (pair, "\x30\0\0\0\1", 5);
  (void) close (pair->raw);
  pair->raw = -1;
  test_run_until (has_result, &result);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  assert_cut (pair);
  g_assert_cmpuint (result.done, ==, 1);
  result_clear (&result);
}

/* The write fails at once here; the caller must still hear of it later only. */
static void
test_call_to_a_peer_that_is_gone (Pair *pair, gconstpointer raw)
{
  Result result = { 0 };

  (void) close (pair->raw);
  pair->raw = -1;
  call (pair, ECHO, g_variant_new ("(us)", 5, "five"), NULL, 0, &result);
  test_run_until (has_result, &result);
  g_assert_error (result.error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE);
  test_drain ();
  g_assert_cmpuint (pair->closed_here, ==, 1);
  result_clear (&result);
}

static void
add (const char *path, gboolean raw, void (*test) (Pair *, gconstpointer))
{
  g_test_add (path, Pair, GINT_TO_POINTER (raw), set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  add ("/link/calls-both-ways", FALSE, test_both_ways);
  add ("/link/no-blob-and-empty-blob-differ", FALSE, test_blobs);
  add ("/link/error-with-field-and-retry-after", FALSE, test_error);
  add ("/link/timeout-and-late-reply", FALSE, test_timeout_and_late_reply);
  add ("/link/large-frame", FALSE, test_large);
  add ("/link/too-large-is-not-sent", FALSE, test_too_large);
  add ("/link/answer-of-wrong-type-is-an-error", FALSE, test_answer_of_wrong_type);
  add ("/link/close-fails-open-calls", FALSE, test_close_fails_open_calls);
  add ("/link/answer-after-close-goes-nowhere", FALSE, test_answer_after_close);
  add ("/link/cut/bad-header", TRUE, test_bad_header);
  add ("/link/cut/value-not-normal", TRUE, test_value_not_normal);
  add ("/link/cut/value-of-wrong-type", TRUE, test_value_of_wrong_type);
  add ("/link/cut/reply-for-another-method", TRUE, test_reply_for_another_method);
  add ("/link/cut/peer-goes-in-the-middle", TRUE, test_peer_goes_in_the_middle);
  add ("/link/reply-to-nothing-is-dropped", TRUE, test_reply_to_nothing);
  add ("/link/hostile-error-codes", TRUE, test_hostile_error_codes);
  add ("/link/bytes-one-at-a-time", TRUE, test_bytes_one_at_a_time);
  add ("/link/call-to-a-peer-that-is-gone", TRUE, test_call_to_a_peer_that_is_gone);
  return g_test_run ();
}
