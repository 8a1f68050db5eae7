/* describe.c - load a plugin in a child that holds nothing, and hear what it says about itself
 *
 * What must stay true: the parent never runs the plugin's code, waits no longer than the deadline, and
 * checks what comes back like anything from a stranger.
 */
#include "plugin/info.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <glib-unix.h>

#include "base/file.h"
#include "base/problem.h"
#include "plugin/info-private.h"

#define DEADLINE_MS 5000
#define MAX_REPORT (1024u * 1024u)
#define REPORT_FD 3

#define fail(error, ...) g_set_error ((error), SP_PROBLEM, SP_PROBLEM_CONFIG, __VA_ARGS__)

/* ---- the child -------------------------------------------------------------------------------------- */

int
sp_plugin_describe_main (const char *path, int fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SpPluginModule) module = sp_plugin_load (path, &error);
  g_autoptr (SpPluginInfo) info = module != NULL ? sp_plugin_info_new (module) : NULL;
  g_autofree char *why = error != NULL ? g_utf8_make_valid (error->message, -1) : g_strdup ("");
  g_autoptr (GVariant) report = NULL;
  GVariant *told = info != NULL ? sp_plugin_info_to_variant (info) : NULL;

  report = g_variant_ref_sink (
      g_variant_new ("(s@m" SP_PLUGIN_INFO_TYPE ")", why,
                     g_variant_new_maybe (G_VARIANT_TYPE (SP_PLUGIN_INFO_TYPE), told)));
  return sp_file_write_all (fd, g_variant_get_data (report), g_variant_get_size (report)) ? 0 : 1;
}

/* ---- the parent ------------------------------------------------------------------------------------- */

static char *
program_path (void)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *dir = g_path_get_dirname (self != NULL ? self : "/");
  g_autofree char *daemon = g_build_filename (dir, "secret-proxyd", NULL);

  if (g_file_test (daemon, G_FILE_TEST_IS_EXECUTABLE))
    return g_steal_pointer (&daemon);
  return self != NULL ? g_steal_pointer (&self) : g_strdup ("/proc/self/exe");
}

/* Takes @fd, where the child writes. */
static GSubprocess *
spawn (const char *path, int fd, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  g_autofree char *program = program_path ();
  int err = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, REPORT_FD + 1);

  g_subprocess_launcher_take_fd (launcher, fd, REPORT_FD);
  /* Our stdout is for results; what a plugin prints is none. */
  if (err >= 0)
    g_subprocess_launcher_take_stdout_fd (launcher, err);
  g_subprocess_launcher_unsetenv (launcher, "CREDENTIALS_DIRECTORY");
  return g_subprocess_launcher_spawn (launcher, error, program, "--describe", path, NULL);
}

/* Read to the end, or until time or room runs out. */
static GBytes *
read_report (int fd, GError **error)
{
  gint64 end = g_get_monotonic_time () + DEADLINE_MS * 1000;
  g_autoptr (GByteArray) report = g_byte_array_new ();
  guint8 chunk[4096];

  for (;;) {
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    gint64 left = (end - g_get_monotonic_time () + 999) / 1000;
    int n_ready = left > 0 ? poll (&ready, 1, (int) left) : 0;
    gssize n = n_ready > 0 ? read (fd, chunk, sizeof chunk) : -1;

    if (n_ready == 0) {
      fail (error, "loading it took longer than %d seconds", DEADLINE_MS / 1000);
      return NULL;
    }
    if (n < 0 && errno != EINTR) {
      fail (error, "cannot hear what it says: %s", g_strerror (errno));
      return NULL;
    }
    if (n == 0)
      return g_byte_array_free_to_bytes (g_steal_pointer (&report));
    g_byte_array_append (report, chunk, n > 0 ? (guint) n : 0);
    if (report->len > MAX_REPORT) {
      fail (error, "its description is longer than %u bytes", MAX_REPORT);
      return NULL;
    }
  }
}

static SpPluginInfo *
parse_report (GBytes *bytes, GError **error)
{
  g_autoptr (GVariant) report = g_variant_ref_sink (
      g_variant_new_from_bytes (G_VARIANT_TYPE (SP_PLUGIN_REPORT_TYPE), bytes, FALSE));
  g_autoptr (GVariant) info = NULL;
  const char *why;

  if (g_bytes_get_size (bytes) == 0 || !g_variant_is_normal_form (report)) {
    fail (error, "its description makes no sense");
    return NULL;
  }
  g_variant_get (report, "(&sm@" SP_PLUGIN_INFO_TYPE ")", &why, &info);
  if (info != NULL)
    return sp_plugin_info_from_variant (info, error);
  fail (error, "%s", why);
  return NULL;
}

static SpPluginInfo *
hear (GSubprocess *child, int fd, GError **error)
{
  g_autoptr (GBytes) bytes = read_report (fd, error);

  /* The pipe is at its end, or time is up: there is nothing that it should still do. */
  g_subprocess_force_exit (child);
  (void) g_subprocess_wait (child, NULL, NULL);
  if (bytes == NULL)
    return NULL;
  if (g_bytes_get_size (bytes) == 0 && g_subprocess_get_if_signaled (child)) {
    fail (error, "it crashed while it was loaded: %s",
          g_strsignal (g_subprocess_get_term_sig (child)));
    return NULL;
  }
  return parse_report (bytes, error);
}

SpPluginInfo *
sp_plugin_describe (const char *path, GError **error)
{
  g_autofree char *whole = g_canonicalize_filename (path, NULL);
  g_autofree char *prefix = g_strdup_printf ("plugin %s: ", whole);
  g_autoptr (GSubprocess) child = NULL;
  g_autoptr (GError) why = NULL;
  SpPluginInfo *info = NULL;
  int fds[2];

  if (!g_unix_open_pipe (fds, FD_CLOEXEC, error))
    return NULL;
  child = spawn (whole, fds[1], &why);
  if (child != NULL)
    info = hear (child, fds[0], &why);
  (void) close (fds[0]);
  if (info != NULL)
    return info;
  /* The child's own sentence may name the file already. */
  if (strstr (why->message, whole) == NULL)
    g_prefix_error (&why, "%s", prefix);
  g_propagate_error (error, g_steal_pointer (&why));
  return NULL;
}
