/* given.c - given.h over a pipe, which no other process can look into and which is never swapped */
#include "plugin/given.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/problem.h"
#include "base/secret.h"
#include "plugin/find.h"

/* The pipe must take all of it at once, as nobody reads it yet; a system may allow no more than this. */
#define MAX_GIVEN (1024u * 1024u)
#define PIPE_SIZE (16u * 1024u) /* what each pipe takes */

static GVariant *
value_or_empty (GVariant *value, const char *type)
{
  return value != NULL
             ? value
             : g_variant_new_array (g_variant_type_element (G_VARIANT_TYPE (type)), NULL, 0);
}

/* In memory that is wiped. */
static SpSecret *
serialise (const SpPluginSetup *setup)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new (
      "(sss@a{ss}@a{say})", sp_kind_word (setup->kind), setup->path, setup->instance,
      value_or_empty (setup->options, "a{ss}"), value_or_empty (setup->secrets, "a{say}")));
  SpSecret *bytes = sp_secret_new (g_variant_get_size (value));

  g_variant_store (value, sp_secret_data (bytes));
  return bytes;
}

static gboolean
fill (int fd, SpSecret *bytes, GError **error)
{
  gsize length = sp_secret_length (bytes);

  if (length <= MAX_GIVEN && (length <= PIPE_SIZE || fcntl (fd, F_SETPIPE_SZ, (int) length) >= 0) &&
      write (fd, sp_secret_data (bytes), length) == (gssize) length)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
               "its options do not fit through a pipe: they have %" G_GSIZE_FORMAT " bytes",
               length);
  return FALSE;
}

int
sp_plugin_given_write (const SpPluginSetup *setup, GError **error)
{
  g_autoptr (SpSecret) bytes = serialise (setup);
  gboolean ok;
  int ends[2];

  if (pipe2 (ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make a pipe: %s",
                 g_strerror (errno));
    return -1;
  }
  ok = fill (ends[1], bytes, error);
  (void) close (ends[1]);
  if (ok)
    return ends[0];
  (void) close (ends[0]);
  return -1;
}

GVariant *
sp_plugin_given_read (int fd, GError **error)
{
  g_autoptr (SpSecret) secret = sp_secret_read_fd (fd, MAX_GIVEN, error);
  g_autoptr (GBytes) bytes = secret ? sp_secret_to_bytes (secret) : NULL;
  g_autoptr (GVariant) value = NULL;

  (void) close (fd);
  if (bytes == NULL)
    return NULL;
  value = g_variant_ref_sink (
      g_variant_new_from_bytes (G_VARIANT_TYPE (SP_PLUGIN_GIVEN_TYPE), bytes, FALSE));
  if (g_variant_is_normal_form (value))
    return g_steal_pointer (&value);
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL,
                       "what this plugin host was given makes no sense");
  return NULL;
}
