/* bundle.c - bundle.h
 *
 * GIO has no call that names the folder of its modules, only a variable; so the variable is there just
 * while GIO reads it.
 */
#include "base/bundle.h"

#include <locale.h>
#include <nss.h>
#include <string.h>

#include "base/problem.h"
#include "sp-build.h"

#define PROGRAMS SP_BUNDLE_DIR "/bin/"
/* An appliance has the same folder, and needs none of this: its root is made to fit. */
#define MANIFEST SP_BUNDLE_DIR "/manifest"
#define LOCALES SP_BUNDLE_DIR "/lib/locale"
#define LOCALE "C.UTF-8"
#define MODULES SP_BUNDLE_DIR "/lib/gio/modules"
#define CERTIFICATES SP_BUNDLE_DIR "/etc/ca-certificates.crt"

static gboolean
is_bundle (void)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);

  return self != NULL && g_str_has_prefix (self, PROGRAMS) &&
         g_file_test (MANIFEST, G_FILE_TEST_IS_REGULAR);
}

/* Run @use while the variable @name is @value. */
static void
with_variable (const char *name, const char *value, void (*use) (void))
{
  g_autofree char *before = g_strdup (g_getenv (name));

  (void) g_setenv (name, value, TRUE);
  use ();
  if (before != NULL)
    (void) g_setenv (name, before, TRUE);
  else
    g_unsetenv (name);
}

static void
use_locale (void)
{
  (void) setlocale (LC_ALL, LOCALE);
}

/* Any question for an extension has GIO look for modules, once for all.  There is no such proxy. */
static void
find_modules (void)
{
  (void) g_proxy_get_default_for_protocol ("none");
}

void
sp_bundle_enter (void)
{
  static const char *const databases[][2] = { { "hosts", "files dns" },
                                              { "passwd", "files" },
                                              { "group", "files" } };

  if (!is_bundle ())
    return;
  with_variable ("LOCPATH", LOCALES, use_locale);
  with_variable ("GIO_MODULE_DIR", MODULES, find_modules);
  /* Others come from shared objects that the machine's nsswitch.conf names. */
  for (gsize i = 0; i < G_N_ELEMENTS (databases); i++)
    (void) __nss_configure_lookup (databases[i][0], databases[i][1]);
}

gboolean
sp_bundle_trust (GError **error)
{
  g_autoptr (GTlsDatabase) database = NULL;

  if (!is_bundle ())
    return TRUE;
  database = g_tls_file_database_new (CERTIFICATES, error);
  if (database == NULL) {
    g_prefix_error (error, "cannot use the certificates of the bundle: ");
    return FALSE;
  }
  g_tls_backend_set_default_database (g_tls_backend_get_default (), database);
  return TRUE;
}
