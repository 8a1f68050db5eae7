/* clock.c - clock.h on clock_gettime(2) */
#include "base/clock.h"

#include <time.h>

static gint64
system_boot_ms (gpointer data)
{
  struct timespec now;

  (void) clock_gettime (CLOCK_BOOTTIME, &now);
  return (gint64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static gint64
system_wall_us (gpointer data)
{
  return g_get_real_time ();
}

static const char *
system_boot_id (gpointer data)
{
  static gsize once;
  static char id[64];

  if (g_once_init_enter (&once)) {
    g_autofree char *text = NULL;

    if (g_file_get_contents ("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
      (void) g_strlcpy (id, g_strchomp (text), sizeof id);
    g_once_init_leave (&once, 1);
  }
  return id;
}

const SpClock *
sp_clock_system (void)
{
  static const SpClock clock = { system_boot_ms, system_wall_us, system_boot_id, NULL };

  return &clock;
}

char *
sp_time_format (gint64 wall_us)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (wall_us / G_USEC_PER_SEC);

  return time ? g_date_time_format (time, "%Y-%m-%dT%H:%M:%SZ") : g_strdup ("never");
}
