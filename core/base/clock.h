/* clock.h - the two clocks, so that rules can be given others in tests
 *
 * What has run out is decided by both: the boot clock can't be set back, the wall clock survives a
 * restart.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  gint64 (*boot_ms) (gpointer data);      /* CLOCK_BOOTTIME */
  gint64 (*wall_us) (gpointer data);      /* since the epoch, UTC */
  const char *(*boot_id) (gpointer data); /* which boot boot_ms counts from; the clock's */
  gpointer data;
} SpClock;

/* The system's own. */
const SpClock *sp_clock_system (void);

static inline gint64
sp_clock_boot_ms (const SpClock *clock)
{
  return clock->boot_ms (clock->data);
}

static inline gint64
sp_clock_wall_us (const SpClock *clock)
{
  return clock->wall_us (clock->data);
}

/* RFC 3339, UTC, whole seconds: "2026-11-23T22:18:00Z". */
char *sp_time_format (gint64 wall_us);
