/* link.h - bounded, typed messages between two processes of the daemon, over a socketpair
 *
 * Each process that is reachable from outside, or runs a plugin, holds one link and nothing else.
 * Either end may call the other.  What can be called is a table: name, type of the arguments, type of
 * the reply (GVariant type strings).  A frame that is too long, names an unknown method, is not in
 * normal form or not of the type in the table closes the link: the peer is broken or hostile.
 *
 * A call may carry one blob beside its arguments: the only place where a secret value travels.  All
 * buffers are wiped when they are freed.
 *
 * Everything happens on the GMainContext that was the thread's default when the link was made.
 */
#pragma once

#include <gio/gio.h>

#define SP_LINK_MAX_FRAME (8u * 1024u * 1024u)

typedef struct _SpLink SpLink;
typedef struct _SpLinkCall SpLinkCall;

/* Answer @call, now or later, with sp_link_call_reply() or _fail(): exactly once.  @args: a tuple or
 * other value of the method's type.  @blob: NULL where none came. */
typedef void (*SpLinkHandler) (SpLinkCall *call, GVariant *args, GBytes *blob, gpointer data);

typedef struct {
  const char *name;  /* for messages */
  const char *args;  /* GVariant type string */
  const char *reply; /* GVariant type string */
} SpLinkMethod;

/* The result of a call: either @reply (and perhaps @blob), or @error. */
typedef void (*SpLinkDone) (GVariant *reply, GBytes *blob, const GError *error, gpointer data);

/* The other end is gone, or was cut off because of @why. */
typedef void (*SpLinkClosed) (SpLink *link, const GError *why, gpointer data);

typedef struct {
  const SpLinkMethod *serve;     /* what the peer may call here */
  const SpLinkHandler *handlers; /* one for each of them */
  guint n_serve;
  const SpLinkMethod *call; /* what can be called over there */
  guint n_call;
  SpLinkClosed closed;
  gpointer data; /* for handlers and closed */
} SpLinkSetup;

/* Takes @fd, a connected SOCK_STREAM socket.  @setup is copied. */
SpLink *sp_link_new (int fd, const SpLinkSetup *setup);
SpLink *sp_link_ref (SpLink *link);
void sp_link_unref (SpLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpLink, sp_link_unref)

/* Close it: open calls fail with SP_PROBLEM_UNREACHABLE, closed() is not called. */
void sp_link_close (SpLink *link);
gboolean sp_link_is_open (SpLink *link);

/* Call @method.  @args is consumed if floating.  @timeout_ms 0: none.  @done may be NULL; it is
 * called exactly once, never before this returns, with SP_PROBLEM_TIMED_OUT if time runs out. */
void sp_link_call (SpLink *link, guint method, GVariant *args, GBytes *blob, guint timeout_ms,
                   SpLinkDone done, gpointer data);

/* Each consumes @call.  @reply is consumed if floating. */
void sp_link_call_reply (SpLinkCall *call, GVariant *reply, GBytes *blob);
void sp_link_call_fail (SpLinkCall *call, const GError *error);

/* Bytes that are wiped when the last reference goes. */
GBytes *sp_link_wiped_bytes (gconstpointer data, gsize length);
