/* config.c - read the config file, keep what came out of it
 *
 * What must stay true: an SpConfig that a caller gets has passed every check; a file that someone
 * else could have written is not read.
 */
#include "base/config-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/option.h"
#include "base/problem.h"

#define MAX_FILE (1024 * 1024)

/* ---- the report ------------------------------------------------------------------------------------- */

typedef struct {
  guint line;
  guint order; /* sorting must keep the order within a line */
  gboolean warning;
  char *text;
} Remark;

struct _SpConfigReport {
  char *file;
  GPtrArray *remarks;
};

static void
remark_free (gpointer data)
{
  Remark *remark = data;

  g_free (remark->text);
  g_free (remark);
}

static int
compare_remarks (gconstpointer a, gconstpointer b)
{
  const Remark *left = *(const Remark *const *) a, *right = *(const Remark *const *) b;

  if (left->line != right->line)
    return left->line < right->line ? -1 : 1;
  return left->order < right->order ? -1 : 1;
}

SpConfigReport *
sp_config_report_new (const char *file)
{
  SpConfigReport *report = g_new0 (SpConfigReport, 1);

  report->file = g_strdup (file);
  report->remarks = g_ptr_array_new_with_free_func (remark_free);
  return report;
}

void
sp_config_report_free (SpConfigReport *report)
{
  g_free (report->file);
  g_ptr_array_unref (report->remarks);
  g_free (report);
}

static void add_remark (SpConfigReport *report, gboolean warning, guint line, const char *format,
                        va_list args) G_GNUC_PRINTF (4, 0);

static void
add_remark (SpConfigReport *report, gboolean warning, guint line, const char *format, va_list args)
{
  g_autofree char *what = g_strdup_vprintf (format, args);
  Remark *remark = g_new0 (Remark, 1);

  remark->line = line;
  remark->order = report->remarks->len;
  remark->warning = warning;
  remark->text = line > 0 ? g_strdup_printf ("%s:%u: %s", report->file, line, what)
                          : g_strdup_printf ("%s: %s", report->file, what);
  /* The message of the whole has a line for each. */
  g_strdelimit (remark->text, "\r\n", ' ');
  g_ptr_array_add (report->remarks, remark);
}

void
sp_config_complain (SpConfigReport *report, guint line, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  add_remark (report, FALSE, line, format, args);
  va_end (args);
}

void
sp_config_warn (SpConfigReport *report, guint line, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  add_remark (report, TRUE, line, format, args);
  va_end (args);
}

static char **
report_texts (SpConfigReport *report, gboolean warnings)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new ();

  g_ptr_array_sort (report->remarks, compare_remarks);
  for (guint i = 0; i < report->remarks->len; i++) {
    const Remark *remark = g_ptr_array_index (report->remarks, i);

    if (remark->warning == warnings)
      g_ptr_array_add (texts, g_strdup (remark->text));
  }
  g_ptr_array_add (texts, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&texts), FALSE);
}

char *
sp_config_report_errors (SpConfigReport *report)
{
  g_auto (GStrv) texts = report_texts (report, FALSE);

  return texts[0] != NULL ? g_strjoinv ("\n", texts) : NULL;
}

char **
sp_config_report_warnings (SpConfigReport *report)
{
  return report_texts (report, TRUE);
}

/* ---- reading ---------------------------------------------------------------------------------------- */

static gboolean
check_owner (int fd, const char *path, struct stat *st, GError **error)
{
  if (fstat (fd, st) != 0 || !S_ISREG (st->st_mode)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "%s: this is no regular file", path);
    return FALSE;
  }
  if (st->st_uid != 0 && st->st_uid != geteuid ()) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "%s: it belongs to user %u, who could change it: it must belong to root or to "
                 "user %u",
                 path, st->st_uid, geteuid ());
    return FALSE;
  }
  if ((st->st_mode & 022) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "%s: its mode %04o lets others change it: run chmod go-w %s", path,
                 (guint) st->st_mode & 07777, path);
    return FALSE;
  }
  return TRUE;
}

static char *
read_text (int fd, const char *path, gsize *ret_length, GError **error)
{
  g_autofree char *text = g_malloc (MAX_FILE + 1);
  gsize length = 0;

  while (length <= MAX_FILE) {
    gssize n = read (fd, text + length, MAX_FILE + 1 - length);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "%s: cannot read it: %s", path,
                   g_strerror (errno));
      return NULL;
    }
    if (n == 0) {
      *ret_length = length;
      return g_steal_pointer (&text);
    }
    length += (gsize) n;
  }
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "%s: longer than %d bytes", path, MAX_FILE);
  return NULL;
}

static void
set_open_error (GError **error, const char *path, int code)
{
  if (code == ENOENT)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "%s: there is no such file: write it, or name another one with --config FILE",
                 path);
  else
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "%s: cannot open it: %s", path,
                 g_strerror (code));
}

SpConfig *
sp_config_read (const char *path, SpConfigDescribe describe, gpointer data, GError **error)
{
  const char *file = path != NULL ? path : SP_CONFIG_PATH;
  /* Not to be stopped by a FIFO. */
  int fd = open (file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  g_autofree char *text = NULL;
  gsize length = 0;
  struct stat st;

  if (fd < 0) {
    set_open_error (error, file, errno);
    return NULL;
  }
  if (check_owner (fd, file, &st, error))
    text = read_text (fd, file, &length, error);
  (void) close (fd);
  return text != NULL ? sp_config_parse (file, text, length, describe, data, error) : NULL;
}

static void
instance_free (gpointer data)
{
  SpConfigInstance *instance = data;

  g_variant_unref (instance->options);
  g_variant_unref (instance->secrets);
  g_free (instance);
}

static void
vault_free (gpointer data)
{
  SpConfigVault *vault = data;

  g_free ((gpointer) vault->notifiers);
  g_free (vault);
}

static void
approver_free (gpointer data)
{
  SpConfigApprover *approver = data;

  g_variant_unref (approver->ids);
  g_free (approver);
}

/* The free function of a GPtrArray is called for the NULL at its end too, so it must not be: the
 * arrays are plain, and freed here. */
static void
free_all (GPtrArray *array, GDestroyNotify free_one)
{
  for (guint i = 0; i < array->len; i++)
    if (g_ptr_array_index (array, i) != NULL)
      free_one (g_ptr_array_index (array, i));
  g_ptr_array_unref (array);
}

void
sp_config_free (SpConfig *config)
{
  if (config == NULL)
    return;
  free_all (config->vaults, vault_free);
  free_all (config->instances, instance_free);
  free_all (config->approvers, approver_free);
  free_all (config->sources, g_free);
  g_string_chunk_free (config->strings);
  g_strfreev (config->warnings);
  g_free (config);
}

SpConfig *
sp_config_parse (const char *name, const char *text, gsize length, SpConfigDescribe describe,
                 gpointer data, GError **error)
{
  g_autoptr (SpConfigReport) report = sp_config_report_new (name);
  g_autoptr (GPtrArray) sections = sp_config_scan (text, length, report);
  g_autoptr (SpConfig) config = g_new0 (SpConfig, 1);
  g_autofree char *errors = NULL;

  config->strings = g_string_chunk_new (1024);
  config->instances = g_ptr_array_new ();
  config->vaults = g_ptr_array_new ();
  config->approvers = g_ptr_array_new ();
  config->sources = g_ptr_array_new ();
  sp_config_check (&(SpConfigCheck){ config, sections, describe, data, report });
  errors = sp_config_report_errors (report);
  if (errors != NULL) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFIG, errors);
    return NULL;
  }
  config->warnings = sp_config_report_warnings (report);
  g_ptr_array_add (config->instances, NULL);
  g_ptr_array_add (config->vaults, NULL);
  g_ptr_array_add (config->approvers, NULL);
  g_ptr_array_add (config->sources, NULL);
  return g_steal_pointer (&config);
}
