/* monitor.h - good manners at the agent's monitor: a checkpoint, a pause, a way back
 *
 * The socket may be a fake server, so nothing that it says is trusted or even shown unescaped, and the
 * client runs in a child that holds nothing: its own user, no descriptor but the two ends, limits on
 * memory, bytes (1 MiB in all, 256 KiB a line), depth (16), events (1000) and time.  QMP or the human
 * monitor, told apart by the greeting.
 *
 * What must stay true: no path, name or size that the monitor gives is ever used.
 */
#pragma once

#include <gio/gio.h>

typedef struct _SpMonitor SpMonitor;

typedef enum {
  SP_MONITOR_SAVE,   /* savevm NAME */
  SP_MONITOR_FORGET, /* delvm NAME */
  SP_MONITOR_STOP,   /* the processors stand still */
  SP_MONITOR_GO_ON,  /* cont */
  /* set-action: the process stays, paused, where the guest powers off, and RESET doesn't end it; QMP only */
  SP_MONITOR_STAY,
  SP_MONITOR_LEAVE,     /* set-action: it ends then, as is usual; QMP only */
  SP_MONITOR_POWER_OFF, /* system_powerdown, and wait until the other end closes or says SHUTDOWN */
  SP_MONITOR_RESET,     /* system_reset: what has powered off can go on after it */
  SP_MONITOR_LOAD,      /* loadvm NAME; afterwards it runs or stands still as before */
  SP_MONITOR_QUIT,      /* the process ends; wait until the other end closes */
  SP_MONITOR_RELEASE,   /* hostfwd_remove: give back the host's port; argument "127.0.0.1:3737" */
  SP_MONITOR_CLAIM,     /* hostfwd_add: and take it again; argument "127.0.0.1:3737" */
  SP_MONITOR_N_VERBS
} SpMonitorVerb;

/* Start the child on @in and @out (taken; may be the same descriptor) and wait for the greeting, at
 * most 10 s.  Errors, here and below: SP_PROBLEM_UNREACHABLE: closed; SP_PROBLEM_TIMED_OUT: silent;
 * SP_PROBLEM_INTEGRITY: no monitor, or a hostile one; SP_PROBLEM_CONFLICT: it said no.
 *
 * A program that calls this begins its main() with sp_monitor_child_main() where its one argument is
 * --monitor-child.  The child dies with the thread that has started it. */
SpMonitor *sp_monitor_open (int in, int out, GError **error);
void sp_monitor_free (SpMonitor *monitor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpMonitor, sp_monitor_free)

/* "QMP" or "human monitor". */
const char *sp_monitor_dialect (const SpMonitor *monitor);

/* @argument: a name of a snapshot ([a-z0-9-]) or an address, see above; NULL where none is taken.  At
 * most @timeout_ms.  FALSE: it was refused, did not answer, or broke a bound; after the last two the
 * monitor is of no further use. */
gboolean sp_monitor_do (SpMonitor *monitor, SpMonitorVerb verb, const char *argument,
                        guint timeout_ms, GError **error);

/* The child's side: `secret-proxy` re-executes itself for it.  Descriptors 3 (commands and answers), 4
 * (in), 5 (out).  Returns the exit status. */
int sp_monitor_child_main (void);
