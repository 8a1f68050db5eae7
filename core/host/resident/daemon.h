/* daemon.h - secret-proxyd as a child of this program
 *
 * Started with one end of a socket pair as descriptor 3, the admin channel.  Its first line on stdout
 * is {"listening":"ADDRESS:PORT","pid":N}.  It can't outlive this process: the kernel ends it when the
 * thread that started it is gone (PR_SET_PDEATHSIG), so start it from the main thread.
 */
#pragma once

#include <gio/gio.h>

typedef struct _SpDaemon SpDaemon;

typedef struct {
  const char *listen; /* "127.0.0.1:3737"; port 0: a free one */
  const char *state;  /* its folder */
} SpDaemonSetup;

typedef struct {
  /* It listens; @fd is the admin channel, the callee's. */
  void (*listening) (const char *address, guint16 port, int fd, gpointer data);
  /* It has ended.  @error: SP_PROBLEM, with the exit status where it had one; it has told the reason
   * on stderr itself. */
  void (*ended) (const GError *error, gpointer data);
} SpDaemonEvents;

/* The program `secret-proxyd` beside this one.  Events come on the thread-default GMainContext. */
SpDaemon *sp_daemon_start (const SpDaemonSetup *setup, const SpDaemonEvents *events, gpointer data,
                           GError **error);
/* SIGTERM, and SIGKILL after 5 seconds; ended() is called as usual. */
void sp_daemon_stop (SpDaemon *daemon);
/* Without waiting for its end: it is killed. */
void sp_daemon_free (SpDaemon *daemon);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpDaemon, sp_daemon_free)
