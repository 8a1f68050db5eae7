/* test-clock.h - a clock that moves only when the test says so */
#pragma once

#include "base/clock.h"

typedef struct {
  SpClock clock;
  gint64 boot_ms;
  gint64 wall_us;
  char boot_id[16];
} TestClock;

void test_clock_init (TestClock *clock);
/* Both clocks go on. */
void test_clock_advance (TestClock *clock, gint64 seconds);
/* Only the wall clock is set. */
void test_clock_set_wall (TestClock *clock, gint64 by_seconds);
/* The machine starts anew @seconds later: the boot clock begins again. */
void test_clock_reboot (TestClock *clock, gint64 seconds);
