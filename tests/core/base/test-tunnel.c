/* test-tunnel.c - a byte stream in messages: base/tunnel.h
 *
 * Two tunnels hand one another what they send, as two ends of an admin channel do; the tests sit at the
 * sockets behind them.
 */
#include "base/tunnel.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct End {
  SpTunnel *tunnel;
  struct End *other;
  int fd; /* the test's */
  gsize sent, most, allowed;
  gboolean ended, deaf, frees_itself;
} End;

static void
on_send (SpSecret *bytes, gpointer data)
{
  End *end = data;

  end->sent += sp_secret_length (bytes);
  end->most = MAX (end->most, sp_secret_length (bytes));
  if (!end->other->deaf)
    g_assert_true (sp_tunnel_take (end->other->tunnel, bytes));
  if (end->frees_itself)
    g_clear_pointer (&end->tunnel, sp_tunnel_free);
}

static void
on_allow (guint bytes, gpointer data)
{
  End *end = data;

  end->allowed += bytes;
  if (!end->other->deaf)
    g_assert_true (sp_tunnel_allowed (end->other->tunnel, bytes));
}

static void
on_ended (gpointer data)
{
  ((End *) data)->ended = TRUE;
}

static const SpTunnelEvents events = { on_send, on_allow, on_ended };

static void
set_up (End *left, End *right)
{
  End *ends[] = { left, right };

  for (gsize i = 0; i < 2; i++) {
    int pair[2];

    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    ends[i]->fd = pair[0];
    ends[i]->other = ends[1 - i];
    g_assert_cmpint (fcntl (pair[0], F_SETFL, O_NONBLOCK), ==, 0);
    ends[i]->tunnel = sp_tunnel_new (pair[1], &events, ends[i]);
  }
}

static void
tear_down (End *left, End *right)
{
  sp_tunnel_free (left->tunnel);
  sp_tunnel_free (right->tunnel);
  if (left->fd >= 0)
    (void) close (left->fd);
  if (right->fd >= 0)
    (void) close (right->fd);
}

static void
spin (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

/* As much as goes in without anybody reading. */
static gsize
fill (const End *end, gsize most)
{
  static const char block[65536];
  gsize done = 0;

  for (gboolean goes = TRUE; goes && done < most; spin ()) {
    gssize n = write (end->fd, block, MIN (sizeof block, most - done));

    goes = n > 0;
    done += goes ? (gsize) n : 0;
  }
  return done;
}

static void
test_round_trip (void)
{
  End left = { .fd = -1 }, right = { .fd = -1 };
  char got[16];

  set_up (&left, &right);
  g_assert_cmpint (write (left.fd, "there", 5), ==, 5);
  g_assert_cmpint (write (right.fd, "back", 4), ==, 4);
  spin ();
  g_assert_cmpint (read (right.fd, got, sizeof got), ==, 5);
  g_assert_cmpmem (got, 5, "there", 5);
  g_assert_cmpint (read (left.fd, got, sizeof got), ==, 4);
  g_assert_cmpmem (got, 4, "back", 4);
  tear_down (&left, &right);
}

static void
test_much (void)
{
  const gsize total = 8 * 1024 * 1024;
  End left = { .fd = -1 }, right = { .fd = -1 };
  g_autofree guint8 *block = g_malloc (65536);
  gsize written = 0, got = 0;

  set_up (&left, &right);
  while (got < total) {
    gssize n;

    for (gsize i = 0; i < 65536; i++)
      block[i] = (guint8) ((written + i) % 251);
    n = written < total ? write (left.fd, block, MIN (65536, total - written)) : 0;
    written += n > 0 ? (gsize) n : 0;
    spin ();
    n = read (right.fd, block, 65536);
    for (gssize i = 0; i < n; i++)
      g_assert_cmpuint (block[i], ==, (got + (gsize) i) % 251);
    got += n > 0 ? (gsize) n : 0;
  }
  g_assert_cmpuint (left.sent, ==, total);
  g_assert_cmpuint (left.most, <=, SP_TUNNEL_CHUNK);
  /* Allowances are few. */
  g_assert_cmpuint (right.allowed, >=, total - SP_TUNNEL_WINDOW);
  tear_down (&left, &right);
}

static void
test_bounded (void)
{
  End left = { .fd = -1 }, right = { .fd = -1 };
  gsize before;

  set_up (&left, &right);
  right.deaf = TRUE;
  (void) fill (&left, 16 * 1024 * 1024);
  g_assert_cmpuint (left.sent, ==, SP_TUNNEL_WINDOW);
  before = left.sent;
  g_assert_true (sp_tunnel_allowed (left.tunnel, SP_TUNNEL_LEAST + 10));
  spin ();
  g_assert_cmpuint (left.sent, ==, before + SP_TUNNEL_LEAST + 10);
  tear_down (&left, &right);
}

/* However little each of them has: what a message takes of the other side is more than its bytes. */
static void
test_small (void)
{
  End left = { .fd = -1 }, right = { .fd = -1 };

  set_up (&left, &right);
  right.deaf = TRUE;
  for (guint i = 0; i < 2 * SP_TUNNEL_WINDOW / SP_TUNNEL_LEAST; i++) {
    g_assert_cmpint (write (left.fd, "x", 1), ==, 1);
    spin ();
  }
  g_assert_cmpuint (left.sent, ==, SP_TUNNEL_WINDOW / SP_TUNNEL_LEAST);
  tear_down (&left, &right);
}

/* A peer that does not stop is noticed before thousands of them are kept. */
static void
test_small_overrun (void)
{
  End left = { .fd = -1, .deaf = TRUE }, right = { .fd = -1 };
  g_autoptr (SpSecret) one = sp_secret_new (1);
  guint n = 0;

  set_up (&left, &right);
  while (n < 10000 && sp_tunnel_take (right.tunnel, one))
    n++;
  g_assert_cmpuint (n, <, 2000);
  tear_down (&left, &right);
}

static void
test_small_goes_through (void)
{
  End left = { .fd = -1 }, right = { .fd = -1 };
  char got[64];

  set_up (&left, &right);
  for (guint i = 0; i < 8 * SP_TUNNEL_WINDOW / SP_TUNNEL_LEAST; i++) {
    g_assert_cmpint (write (left.fd, "x", 1), ==, 1);
    spin ();
    g_assert_cmpint (read (right.fd, got, sizeof got), ==, 1);
  }
  tear_down (&left, &right);
}

static void
test_broken_peer (void)
{
  End left = { .fd = -1 }, right = { .fd = -1 };
  g_autoptr (SpSecret) none = sp_secret_new (0);

  set_up (&left, &right);
  g_assert_false (sp_tunnel_take (right.tunnel, none));
  /* More than was ever sent can't be allowed. */
  g_assert_false (sp_tunnel_allowed (left.tunnel, 1));
  g_assert_false (sp_tunnel_allowed (left.tunnel, -1));
  g_assert_false (sp_tunnel_allowed (left.tunnel, G_MAXINT64));
  tear_down (&left, &right);
}

static void
test_overrun (void)
{
  End left = { .fd = -1 }, right = { .fd = -1 };
  g_autoptr (SpSecret) window = sp_secret_new (SP_TUNNEL_WINDOW + 1);

  set_up (&left, &right);
  g_assert_false (sp_tunnel_take (right.tunnel, window));
  tear_down (&left, &right);
}

static void
test_end (void)
{
  End left = { .fd = -1 }, right = { .fd = -1 };
  char got[16];

  set_up (&left, &right);
  g_assert_cmpint (write (left.fd, "last", 4), ==, 4);
  (void) close (left.fd);
  left.fd = -1;
  spin ();
  g_assert_true (left.ended);
  g_assert_false (right.ended);
  g_assert_cmpint (read (right.fd, got, sizeof got), ==, 4);
  tear_down (&left, &right);
}

static void
test_freed_in_an_event (void)
{
  End left = { .fd = -1 }, right = { .fd = -1 };

  set_up (&left, &right);
  left.frees_itself = TRUE;
  g_assert_cmpint (write (left.fd, "x", 1), ==, 1);
  spin ();
  g_assert_null (left.tunnel);
  tear_down (&left, &right);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tunnel/what-goes-in-comes-out-at-the-other-end", test_round_trip);
  g_test_add_func ("/tunnel/much-more-than-the-window-goes-through", test_much);
  g_test_add_func ("/tunnel/nothing-beyond-the-window-is-sent-unasked", test_bounded);
  g_test_add_func ("/tunnel/small-messages-count-for-more", test_small);
  g_test_add_func ("/tunnel/small-messages-that-overrun-are-noticed", test_small_overrun);
  g_test_add_func ("/tunnel/small-messages-go-through", test_small_goes_through);
  g_test_add_func ("/tunnel/a-peer-that-breaks-the-rules-is-noticed", test_broken_peer);
  g_test_add_func ("/tunnel/a-peer-that-overruns-the-window-is-noticed", test_overrun);
  g_test_add_func ("/tunnel/the-last-bytes-come-before-the-end", test_end);
  g_test_add_func ("/tunnel/it-may-be-freed-in-an-event", test_freed_in_an_event);
  return g_test_run ();
}
