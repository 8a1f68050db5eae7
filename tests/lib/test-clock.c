/* test-clock.c - test-clock.h */
#include "test-clock.h"

static gint64
boot_ms (gpointer data)
{
  return ((TestClock *) data)->boot_ms;
}

static gint64
wall_us (gpointer data)
{
  return ((TestClock *) data)->wall_us;
}

static const char *
boot_id (gpointer data)
{
  return ((TestClock *) data)->boot_id;
}

void
test_clock_init (TestClock *clock)
{
  clock->clock = (SpClock){ boot_ms, wall_us, boot_id, clock };
  clock->boot_ms = 1000 * 1000;
  clock->wall_us = G_GINT64_CONSTANT (1800000000) * G_USEC_PER_SEC;
  (void) g_strlcpy (clock->boot_id, "boot-1", sizeof clock->boot_id);
}

void
test_clock_advance (TestClock *clock, gint64 seconds)
{
  clock->boot_ms += seconds * 1000;
  clock->wall_us += seconds * G_USEC_PER_SEC;
}

void
test_clock_set_wall (TestClock *clock, gint64 by_seconds)
{
  clock->wall_us += by_seconds * G_USEC_PER_SEC;
}

void
test_clock_reboot (TestClock *clock, gint64 seconds)
{
  clock->wall_us += seconds * G_USEC_PER_SEC;
  clock->boot_ms = 5000;
  clock->boot_id[5]++;
}
