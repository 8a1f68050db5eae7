/* human.c - the monitor that is made for a person at a terminal
 *
 * It shows what is typed, drawn anew at each key with escapes that move the cursor, then its answer,
 * then a prompt.  So the echo is drawn here as well, on one line, and must come out as what was typed.
 *
 * What must stay true: the bytes of an answer are compared and handed on, never taken apart.
 */
#include <string.h>

#include "host/monitor/private.h"

#define BANNER "QEMU "
#define PROMPT "(qemu) "
#define MAX_WIDTH 256u

/* ---- reading -------------------------------------------------------------------------------------------- */

static gboolean
ends_with_prompt (const char *data, gsize length)
{
  gsize n = strlen (PROMPT);

  return length >= n && memcmp (data + length - n, PROMPT, n) == 0 &&
         (length == n || data[length - n - 1] == '\n');
}

SpHumanScan
sp_human_read_greeting (const char *data, gsize length)
{
  if (memcmp (data, BANNER, MIN (length, strlen (BANNER))) != 0 || memchr (data, 0, length) != NULL)
    return SP_HUMAN_BAD;
  return ends_with_prompt (data, length) ? SP_HUMAN_WHOLE : SP_HUMAN_MORE;
}

typedef struct {
  char text[MAX_WIDTH];
  gsize cursor, length;
} Line;

static gboolean
draw (Line *line, char c)
{
  if (c < 0x20 || c > 0x7e || line->cursor == MAX_WIDTH)
    return FALSE;
  line->text[line->cursor++] = c;
  line->length = MAX (line->length, line->cursor);
  return TRUE;
}

static gboolean
move (Line *line, char command)
{
  switch (command) {
  case 'D':
    line->cursor -= line->cursor > 0;
    return TRUE;
  case 'C':
    line->cursor += line->cursor < line->length;
    return TRUE;
  case 'K':
    line->length = line->cursor;
    return TRUE;
  default:
    return FALSE;
  }
}

/* Whether a terminal would show @data as @command. */
static gboolean
is_echo (const char *data, gsize length, const char *command)
{
  Line line = { .cursor = 0 };

  for (gsize i = 0; i < length; i++) {
    gboolean good;

    if (data[i] != '\033') {
      good = draw (&line, data[i]);
    } else {
      good = length - i > 2 && data[i + 1] == '[' && move (&line, data[i + 2]);
      i += 2;
    }
    if (!good)
      return FALSE;
  }
  return line.length == strlen (command) && memcmp (line.text, command, line.length) == 0;
}

SpHumanScan
sp_human_read (const char *data, gsize length, const char *command, char **ret_text)
{
  const char *end = memchr (data, '\n', length), *answer;
  gsize echo, left;

  *ret_text = NULL;
  if (end == NULL)
    return SP_HUMAN_MORE;
  echo = (gsize) (end - data);
  answer = end + 1;
  left = length - echo - 1;
  if (!is_echo (data, echo - (echo > 0 && end[-1] == '\r'), command))
    return SP_HUMAN_BAD;
  if (!ends_with_prompt (answer, left))
    return SP_HUMAN_MORE;
  left -= strlen (PROMPT);
  if (memchr (answer, 0, left) != NULL)
    return SP_HUMAN_BAD;
  *ret_text = g_strstrip (g_strndup (answer, left));
  return SP_HUMAN_WHOLE;
}

/* ---- the conversation -------------------------------------------------------------------------------------- */

static SpMonitorResult
begin (SpMonitorStream *stream)
{
  SpMonitorResult result = SP_MONITOR_ANSWERED;

  while (result == SP_MONITOR_ANSWERED) {
    switch (sp_human_read_greeting (stream->buffer->str, stream->buffer->len)) {
    case SP_HUMAN_WHOLE:
      sp_monitor_stream_used (stream, stream->buffer->len);
      return SP_MONITOR_ANSWERED;
    case SP_HUMAN_BAD:
      return sp_monitor_stream_bad (stream, "no greeting");
    case SP_HUMAN_MORE:
    default:
      result = sp_monitor_stream_fill (stream);
    }
  }
  return result;
}

static SpMonitorResult
read_answer (SpMonitorStream *stream, const char *command, char **ret_text)
{
  SpMonitorResult result = SP_MONITOR_ANSWERED;

  while (result == SP_MONITOR_ANSWERED) {
    switch (sp_human_read (stream->buffer->str, stream->buffer->len, command, ret_text)) {
    case SP_HUMAN_WHOLE:
      sp_monitor_stream_used (stream, stream->buffer->len);
      return SP_MONITOR_ANSWERED;
    case SP_HUMAN_BAD:
      return sp_monitor_stream_bad (stream, "something else than the echo of the command and its "
                                            "answer");
    case SP_HUMAN_MORE:
    default:
      result = sp_monitor_stream_fill (stream);
    }
  }
  return result;
}

/* What it says while it ends is of no interest. */
static SpMonitorResult
wait_for_end (SpMonitorStream *stream)
{
  SpMonitorResult result;

  do {
    sp_monitor_stream_used (stream, stream->buffer->len);
    result = sp_monitor_stream_fill (stream);
  } while (result == SP_MONITOR_ANSWERED);
  return result == SP_MONITOR_CLOSED ? SP_MONITOR_ANSWERED : result;
}

static SpMonitorResult
act (SpMonitorStream *stream, SpMonitorVerb verb, const char *argument)
{
  const SpMonitorVerbRow *row = sp_monitor_verb_row (verb);
  g_autofree char *command = sp_monitor_command_line (verb, argument);
  g_autofree char *typed = g_strconcat (command, "\n", NULL);
  g_autofree char *text = NULL;
  SpMonitorResult result;

  if (row->no_human) {
    g_string_assign (stream->said, "the human monitor has no command for it");
    return SP_MONITOR_REFUSED;
  }
  result = sp_monitor_stream_write (stream, typed, strlen (typed));
  if (result == SP_MONITOR_ANSWERED)
    result = read_answer (stream, command, &text);
  /* It may be gone before it has asked for the next command. */
  if (result == SP_MONITOR_CLOSED && row->ends)
    return SP_MONITOR_ANSWERED;
  if (result == SP_MONITOR_ANSWERED)
    result = sp_monitor_stream_judge (stream, verb, argument, text);
  return result == SP_MONITOR_ANSWERED && row->ends ? wait_for_end (stream) : result;
}

const SpMonitorDialect sp_monitor_human = { begin, act };
