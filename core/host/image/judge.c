/* judge.c - image-judge.h: the parent's side
 *
 * What must stay true: an answer that is not whole, too long or of another form is none, and none means that
 * the image is refused.
 */
#include "host/image/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/problem.h"
#include "base/text.h"
#include "host/confine.h"
#include "host/image/judge-private.h"
#include "host/image/tool.h"

#define MAX_ANSWER (64u * 1024u)
#define MAX_MESSAGE 400u
#define ANSWER_MS 120000
#define CODE_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"

/* ---- the child ----------------------------------------------------------------------------------------- */

static gboolean
fail_errno (GError **error, const char *what)
{
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot %s: %s", what, g_strerror (errno));
  return FALSE;
}

/* Everything up to the end of the stream, or NULL: too much, or too late. */
static char *
read_answer (int fd)
{
  g_autoptr (GString) text = g_string_new (NULL);
  gint64 end = g_get_monotonic_time () + ANSWER_MS * G_TIME_SPAN_MILLISECOND;
  char buffer[4096];

  for (;;) {
    struct pollfd one = { fd, POLLIN, 0 };
    gint64 left = (end - g_get_monotonic_time ()) / G_TIME_SPAN_MILLISECOND;
    gssize n;

    if (left <= 0 || text->len > MAX_ANSWER)
      return NULL;
    if (poll (&one, 1, (int) left) <= 0)
      continue;
    n = read (fd, buffer, sizeof buffer);
    if (n <= 0)
      return n == 0 ? g_string_free (g_steal_pointer (&text), FALSE) : NULL;
    g_string_append_len (text, buffer, n);
  }
}

static char *
run (const char **argv, int fd, int tables, GError **error)
{
  int ends[2];
  GPid pid = 0;
  gboolean started;
  char *answer = NULL;

  if (pipe2 (ends, O_CLOEXEC) != 0) {
    fail_errno (error, "make a pipe");
    return NULL;
  }
  started = sp_confined_spawn (argv, (const int[]){ fd, tables, ends[1] }, 3, &pid, error);
  (void) close (ends[1]);
  if (started) {
    answer = read_answer (ends[0]);
    (void) sp_confined_end (pid);
  }
  (void) close (ends[0]);
  if (started && answer == NULL)
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_TIMED_OUT,
                         "reading the image took too long, or gave no end of findings");
  return answer;
}

/* ---- its answer ---------------------------------------------------------------------------------------- */

static gboolean
take_line (GPtrArray *findings, const char *line, GError **error)
{
  gsize length = strspn (line, CODE_LETTERS);
  g_autofree char *code = g_strndup (line, length);
  g_autofree char *valid = g_utf8_make_valid (line + length, -1);
  g_autofree char *message = sp_text_clean (valid, MAX_MESSAGE);
  SpImageFinding *finding;

  if (length == 0 || length > 32 || strcmp (code, SP_IMAGE_ERROR) == 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "the image can't be read: %s",
                 g_strstrip (message));
    return FALSE;
  }
  finding = g_new0 (SpImageFinding, 1);
  finding->code = g_intern_string (code);
  finding->message = g_strdup (g_strstrip (message));
  g_ptr_array_add (findings, finding);
  return TRUE;
}

static GPtrArray *
parse (const char *answer, GError **error)
{
  g_autoptr (GPtrArray) findings =
      g_ptr_array_new_with_free_func ((GDestroyNotify) sp_image_finding_free);
  g_auto (GStrv) lines = g_strsplit (answer, "\n", -1);

  for (char **line = lines; *line != NULL; line++) {
    if (strcmp (*line, SP_IMAGE_DONE) == 0)
      return g_steal_pointer (&findings);
    if (**line != 0 && !take_line (findings, *line, error))
      return NULL;
  }
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                       "the image can't be read: what read it ended before it was done");
  return NULL;
}

static GPtrArray *
ask (const char **argv, int fd, int tables, GError **error)
{
  g_autofree char *answer = run (argv, fd, tables, error);

  return answer ? parse (answer, error) : NULL;
}

/* ---- the questions ------------------------------------------------------------------------------------- */

static gboolean
seal (int tables, GError **error)
{
  const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

  return fcntl (tables, F_ADD_SEALS, seals) == 0 || fail_errno (error, "seal the copy");
}

static gboolean
is_regular (int fd, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode))
    return TRUE;
  sp_problem_set_invalid (error, "FILE", "it is no regular file");
  return FALSE;
}

static GPtrArray *
judge (int fd, int tables, GError **error)
{
  const char *argv[] = { NULL, SP_IMAGE_ROLE, SP_IMAGE_CHECK, NULL };
  g_autoptr (GPtrArray) findings = ask (argv, fd, tables, error);

  if (findings == NULL || findings->len > 0)
    return g_steal_pointer (&findings);
  if (!seal (tables, error) || !sp_image_tool_run (tables, findings, error))
    return NULL;
  return g_steal_pointer (&findings);
}

static int
make_tables (GError **error)
{
  int fd = memfd_create ("image-tables", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  if (fd < 0)
    fail_errno (error, "make a file in memory");
  return fd;
}

GPtrArray *
sp_image_judge (int fd, GError **error)
{
  int tables = is_regular (fd, error) ? make_tables (error) : -1;
  GPtrArray *findings;

  if (tables < 0)
    return NULL;
  findings = judge (fd, tables, error);
  (void) close (tables);
  return findings;
}

gboolean
sp_image_judge_root (int fd, guint64 size, const char *sha256, GError **error)
{
  g_autofree char *size_text = g_strdup_printf ("%" G_GUINT64_FORMAT, size);
  const char *argv[] = { NULL, SP_IMAGE_ROLE, SP_IMAGE_ROOT, size_text, sha256, NULL };
  int none = make_tables (error);
  g_autoptr (GPtrArray) findings = none >= 0 ? ask (argv, fd, none, error) : NULL;

  if (none >= 0)
    (void) close (none);
  if (findings == NULL || findings->len == 0)
    return findings != NULL;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                       ((SpImageFinding *) g_ptr_array_index (findings, 0))->message);
  return FALSE;
}
