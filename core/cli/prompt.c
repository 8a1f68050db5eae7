/* prompt.c - prompt.h
 *
 * What must stay true: the terminal gets its echo back, whatever ends the reading; what is typed is in
 * locked memory only.
 */
#include "cli/prompt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

gboolean
sp_confirm (const SpCli *cli, GError **error, const char *what, ...)
{
  g_autofree char *question = NULL;
  char answer[16] = "";
  va_list args;

  if (sp_cli_has (cli, "yes"))
    return TRUE;
  va_start (args, what);
  question = g_strdup_vprintf (what, args);
  va_end (args);
  if (!isatty (STDIN_FILENO)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                 "%s? There is no terminal to ask on: give --yes if you mean it", question);
    return FALSE;
  }
  g_printerr ("%s? [y/N] ", question);
  if (fgets (answer, sizeof answer, stdin) != NULL && g_ascii_tolower (*answer) == 'y')
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CANCELLED, "nothing was changed");
  return FALSE;
}

/* One line: bytes up to a newline or the end. */
static SpSecret *
read_line (gsize max, GError **error)
{
  g_autoptr (SpSecret) line = sp_secret_new (max + 1);
  guint8 *data = sp_secret_data (line);
  gsize length = 0;

  while (length <= max) {
    gssize n = read (STDIN_FILENO, data + length, 1);

    if (n < 0) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_CANCELLED, "cannot read the value: %s",
                   g_strerror (errno));
      return NULL;
    }
    if (n == 0 || data[length] == '\n') {
      sp_secret_truncate (line, length);
      return g_steal_pointer (&line);
    }
    length++;
  }
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE,
               "a value has at most %" G_GSIZE_FORMAT " bytes", max);
  return NULL;
}

static void
on_interrupt (int number)
{
  /* Only so that read() ends. */
}

static SpSecret *
read_hidden (gsize max, GError **error)
{
  struct sigaction interrupt = { .sa_handler = on_interrupt }, before;
  struct termios old, hidden;
  SpSecret *line;

  if (tcgetattr (STDIN_FILENO, &old) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot ask on this terminal: %s",
                 g_strerror (errno));
    return NULL;
  }
  hidden = old;
  hidden.c_lflag &= ~(tcflag_t) (ECHO | ECHONL);
  (void) sigaction (SIGINT, &interrupt, &before);
  (void) tcsetattr (STDIN_FILENO, TCSAFLUSH, &hidden);
  g_printerr ("value: ");
  line = read_line (max, error);
  (void) tcsetattr (STDIN_FILENO, TCSAFLUSH, &old);
  (void) sigaction (SIGINT, &before, NULL);
  g_printerr ("\n");
  return line;
}

SpSecret *
sp_read_value (gsize max, GError **error)
{
  g_autoptr (GError) local = NULL;
  SpSecret *value;

  if (isatty (STDIN_FILENO))
    return read_hidden (max, error);
  value = sp_secret_read_fd (STDIN_FILENO, max, &local);
  if (value != NULL)
    return value;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE))
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE, "the value on stdin is %s",
                 local->message);
  else
    g_propagate_prefixed_error (error, g_steal_pointer (&local), "the value on stdin: ");
  return NULL;
}
