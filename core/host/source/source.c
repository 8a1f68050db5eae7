/* source.c - source.h: what both ways have in common
 *
 * What must stay true: a number or a text from the agent is checked here before anyone uses it.
 */
#include "host/source/source.h"

#include <string.h>

#include "base/problem.h"
#include "base/text.h"
#include "host/source/private.h"

#define ANSWER_MS 30000u
#define COPY_MS (10u * 60u * 1000u)
#define END_MS 5000u
#define MAX_LABEL 300u
#define MAX_PID 4194304u /* the kernel's own bound */

/* ---- what the ways use ---------------------------------------------------------------------------- */

gint64
sp_source_deadline (guint ms)
{
  return g_get_monotonic_time () + (gint64) ms * 1000;
}

static gboolean
take (GByteArray *bytes, const guint8 *more, gsize length, gsize max, GError **error)
{
  if (length > max - bytes->len) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
                 "more than the %" G_GSIZE_FORMAT " bytes that are allowed", max);
    return FALSE;
  }
  g_byte_array_append (bytes, more, (guint) length);
  return TRUE;
}

gboolean
sp_source_take_file (gpointer data, const guint8 *bytes, gsize length, GError **error)
{
  return take (data, bytes, length, SP_SOURCE_MAX_READ, error);
}

gboolean
sp_source_take_output (gpointer data, const guint8 *bytes, gsize length, GError **error)
{
  return take (data, bytes, length, SP_SOURCE_MAX_OUTPUT, error);
}

char *
sp_source_text (const GByteArray *bytes)
{
  return bytes->len > 0 ? g_strndup ((const char *) bytes->data, bytes->len) : g_strdup ("");
}

/* ---- opening -------------------------------------------------------------------------------------- */

static char *
clean_path (const char *path)
{
  gsize length = strlen (path);

  while (length > 1 && path[length - 1] == '/')
    length--;
  return g_strndup (path, length);
}

static void
set_paths (SpSource *source, const SpConfigSource *config)
{
  const struct {
    const char *name;
    const char *given;
  } files[SP_SOURCE_N_FILES] = {
    [SP_SOURCE_DISK] = { SP_STAGING_DISK, config->disk },
    [SP_SOURCE_SEED] = { SP_STAGING_SEED, NULL },
    [SP_SOURCE_MONITOR] = { SP_STAGING_MONITOR, config->monitor },
    [SP_SOURCE_PID] = { SP_STAGING_PID, NULL },
    [SP_SOURCE_READY] = { SP_STAGING_READY, config->ready },
    [SP_SOURCE_AGENT] = { SP_STAGING_AGENT, NULL },
  };

  source->base = config->staging ? clean_path (config->staging) : g_path_get_dirname (config->disk);
  for (guint i = 0; i < SP_SOURCE_N_FILES; i++)
    source->paths[i] = files[i].given ? g_strdup (files[i].given)
                                      : g_build_filename (source->base, files[i].name, NULL);
}

/* Options of the command may be nobody's business, so its first words only. */
static char *
label_for (const SpSource *source)
{
  g_autoptr (GString) label = g_string_new ("the staging folder ");
  char **prefix = source->prefix;

  g_string_append (label, source->base);
  if (prefix != NULL && prefix[1] != NULL && prefix[1][0] != '-')
    g_string_append_printf (label, " (%s %s)", prefix[0], prefix[1]);
  else if (prefix != NULL)
    g_string_append_printf (label, " (%s)", prefix[0]);
  return sp_text_clean (label->str, MAX_LABEL);
}

static gboolean
split_prefix (SpSource *source, const char *command, GError **error)
{
  if (g_shell_parse_argv (command, NULL, &source->prefix, NULL))
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
               "'exec' in [source %s] is no command: see whether its quotes are in pairs",
               source->name);
  return FALSE;
}

static SpSource *
source_new (const SpConfigSource *config)
{
  SpSource *source = g_new0 (SpSource, 1);

  source->way = config->exec != NULL && *config->exec != 0 ? &sp_source_exec : &sp_source_local;
  source->name = g_strdup (config->name);
  source->answer_ms = ANSWER_MS;
  source->copy_ms = COPY_MS;
  source->end_ms = END_MS;
  memset (source->folders, -1, sizeof source->folders);
  set_paths (source, config);
  return source;
}

SpSource *
sp_source_open (const SpConfigSource *config, GError **error)
{
  g_autoptr (SpSource) source = source_new (config);

  if (!sp_source_is_local (source) && !split_prefix (source, config->exec, error))
    return NULL;
  source->label = label_for (source);
  if (source->way->open (source, error))
    return g_steal_pointer (&source);
  g_prefix_error (error, "%s: ", source->label);
  return NULL;
}

void
sp_source_free (SpSource *source)
{
  if (source == NULL)
    return;
  source->way->close (source);
  for (guint i = 0; i < SP_SOURCE_N_FILES; i++)
    g_free (source->paths[i]);
  g_strfreev (source->prefix);
  g_free (source->base);
  g_free (source->label);
  g_free (source->name);
  g_free (source);
}

const char *
sp_source_label (const SpSource *source)
{
  return source->label;
}

gboolean
sp_source_is_local (const SpSource *source)
{
  return source->way == &sp_source_local;
}

/* ---- what is asked of it -------------------------------------------------------------------------- */

/* TRUE where @done; else the error tells where. */
static gboolean
done_at (const SpSource *source, gboolean done, GError **error)
{
  if (!done)
    g_prefix_error (error, "%s: ", source->label);
  return done;
}

static char *
read_text (SpSource *source, SpSourceFile file, GError **error)
{
  g_autoptr (GByteArray) bytes = source->way->read (source, file, error);

  if (bytes == NULL)
    return NULL;
  if (bytes->len == 0 || memchr (bytes->data, 0, bytes->len) == NULL)
    return sp_source_text (bytes);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "%s is no text: it has a zero byte",
               source->paths[file]);
  return NULL;
}

char *
sp_source_read (SpSource *source, SpSourceFile file, GError **error)
{
  char *text = read_text (source, file, error);

  (void) done_at (source, text != NULL, error);
  return text;
}

gboolean
sp_source_copy_disk (SpSource *source, int out, guint64 max_bytes, SpSourceProgress progress,
                     gpointer data, char **ret_sha256, GError **error)
{
  const SpSourceSinkSetup setup = { out, max_bytes, sp_source_deadline (source->copy_ms), progress,
                                    data };
  g_autoptr (SpSourceSink) sink = sp_source_sink_new (&setup, error);

  *ret_sha256 = NULL;
  if (sink != NULL && source->way->copy_disk (source, sink, error))
    *ret_sha256 = sp_source_sink_end (sink, error);
  return done_at (source, *ret_sha256 != NULL, error);
}

gboolean
sp_source_connect_monitor (SpSource *source, int *ret_in, int *ret_out, GError **error)
{
  return done_at (source, source->way->connect_monitor (source, ret_in, ret_out, error), error);
}

gboolean
sp_source_remove (SpSource *source, SpSourceFile file, GError **error)
{
  return done_at (source, source->way->remove (source, file, error), error);
}

gboolean
sp_source_write_agent (SpSource *source, SpSecret *content, GError **error)
{
  return done_at (source, source->way->write_agent (source, content, error), error);
}

/* Digits and a newline, of a process that may be ended. */
static gboolean
parse_pid (const char *text, pid_t *ret_pid, GError **error)
{
  g_autofree char *line = g_strchomp (g_strdup (text));
  guint64 number;

  if (strspn (line, "0123456789") != strlen (line) ||
      !g_ascii_string_to_unsigned (line, 10, 2, MAX_PID, &number, NULL)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                         SP_STAGING_PID " does not have the number of a process that may be ended");
    return FALSE;
  }
  *ret_pid = (pid_t) number;
  return TRUE;
}

gboolean
sp_source_end_machine (SpSource *source, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autofree char *text = read_text (source, SP_SOURCE_PID, &local);
  pid_t pid;

  if (g_error_matches (local, SP_PROBLEM, SP_PROBLEM_NOT_FOUND))
    return TRUE;
  if (text == NULL)
    g_propagate_error (error, g_steal_pointer (&local));
  return done_at (source,
                  text != NULL && parse_pid (text, &pid, error) &&
                      source->way->end_machine (source, pid, error),
                  error);
}

gboolean
sp_source_run (SpSource *source, const char *const *argv, guint timeout_ms, char **ret_out,
               int *ret_status, GError **error)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_autoptr (GError) local = NULL;
  gboolean done = source->way->run (source, argv, timeout_ms, out, ret_status, &local);

  if (!done && g_error_matches (local, SP_PROBLEM, SP_PROBLEM_NOT_FOUND)) {
    *ret_status = SP_SOURCE_NO_PROGRAM;
    done = TRUE;
  }
  if (done)
    *ret_out = sp_source_text (out);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return done_at (source, done, error);
}
