/* qmp.c - the monitor that speaks JSON, a message a line
 *
 * What must stay true: a message is one of four kinds, by exactly one member that names it; an answer
 * counts only with the number of the last command; what "human-monitor-command" returns is text for
 * people and is compared, never taken apart.
 */
#include <string.h>

#include "base/json.h"
#include "host/monitor/private.h"

#define SHUTDOWN "SHUTDOWN"
/* From this event to the end of the process: what is left to do is to flush the disks.  One that was
 * told to stay afterwards has done that by then, too. */
#define SHUTDOWN_MS 3000u

/* ---- one message -------------------------------------------------------------------------------------- */

void
sp_qmp_message_clear (SpQmpMessage *message)
{
  g_clear_pointer (&message->text, g_free);
}

/* Before a parser sees it.  Strings end where they do in JSON; what is no JSON is found later. */
static gboolean
is_too_deep (const char *line, gsize length)
{
  gboolean in_string = FALSE;
  guint depth = 0;

  for (gsize i = 0; i < length; i++) {
    char c = line[i];

    if (in_string && c == '\\')
      i++;
    else if (c == '"')
      in_string = !in_string;
    else if (!in_string && (c == '{' || c == '['))
      depth++;
    else if (!in_string && (c == '}' || c == ']') && depth > 0)
      depth--;
    if (depth > SP_MONITOR_MAX_DEPTH)
      return TRUE;
  }
  return FALSE;
}

static gboolean
read_greeting (JsonNode *node, SpQmpMessage *message)
{
  return JSON_NODE_HOLDS_OBJECT (node);
}

static gboolean
read_event (JsonNode *node, SpQmpMessage *message)
{
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING)
    return FALSE;
  message->shutdown = g_str_equal (json_node_get_string (node), SHUTDOWN);
  return TRUE;
}

static gboolean
read_return (JsonNode *node, SpQmpMessage *message)
{
  if (JSON_NODE_HOLDS_OBJECT (node))
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING)
    return FALSE;
  message->text = g_strstrip (g_strdup (json_node_get_string (node)));
  return TRUE;
}

static gboolean
read_error (JsonNode *node, SpQmpMessage *message)
{
  const char *text = NULL;

  if (!JSON_NODE_HOLDS_OBJECT (node) ||
      !sp_json_get_string (json_node_get_object (node), "desc", &text, NULL) || text == NULL)
    return FALSE;
  message->text = g_strstrip (g_strdup (text));
  return TRUE;
}

typedef struct {
  const char *member;
  gboolean (*read) (JsonNode *node, SpQmpMessage *message);
} Kind;

static const Kind kinds[] = {
  [SP_QMP_GREETING] = { "QMP", read_greeting },
  [SP_QMP_EVENT] = { "event", read_event },
  [SP_QMP_RETURN] = { "return", read_return },
  [SP_QMP_ERROR] = { "error", read_error },
};

static void
read_object (JsonObject *object, SpQmpMessage *message)
{
  JsonNode *found = NULL;

  for (guint i = SP_QMP_GREETING; i < G_N_ELEMENTS (kinds); i++) {
    JsonNode *node = json_object_get_member (object, kinds[i].member);

    if (node == NULL)
      continue;
    message->kind = found == NULL ? (SpQmpKind) i : SP_QMP_BAD;
    found = node;
  }
  if (message->kind == SP_QMP_BAD || !kinds[message->kind].read (found, message) ||
      !sp_json_get_int (object, "id", &message->id, NULL)) {
    message->kind = SP_QMP_BAD;
    message->wrong = "a message that is no greeting, event, return or error";
  }
}

void
sp_qmp_read (const char *line, gsize length, SpQmpMessage *ret_message)
{
  g_autoptr (JsonNode) root = NULL;

  *ret_message = (SpQmpMessage){ .kind = SP_QMP_BAD, .id = -1 };
  if (is_too_deep (line, length)) {
    ret_message->wrong = "JSON of more than " G_STRINGIFY (SP_MONITOR_MAX_DEPTH) " levels";
    return;
  }
  root = sp_json_parse (line, length, 0, NULL);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    ret_message->wrong = "a line that is no JSON object";
  else
    read_object (json_node_get_object (root), ret_message);
}

/* ---- the conversation ------------------------------------------------------------------------------------ */

static SpMonitorResult
read_line (SpMonitorStream *stream, SpQmpMessage *ret_message)
{
  const char *end;
  gsize length;

  while (stream->line == 0) {
    SpMonitorResult result = sp_monitor_stream_fill (stream);

    if (result != SP_MONITOR_ANSWERED)
      return result;
  }
  /* There is one, as a line begins after it. */
  end = memchr (stream->buffer->str, '\n', stream->buffer->len);
  length = (gsize) (end - stream->buffer->str) + 1;
  sp_qmp_read (stream->buffer->str, length, ret_message);
  sp_monitor_stream_used (stream, length);
  return ret_message->kind == SP_QMP_BAD ? sp_monitor_stream_bad (stream, ret_message->wrong)
                                         : SP_MONITOR_ANSWERED;
}

static SpMonitorResult
take_event (SpMonitorStream *stream, const SpQmpMessage *event)
{
  stream->shutdown = stream->shutdown || event->shutdown;
  if (++stream->n_events > SP_MONITOR_MAX_EVENTS)
    return sp_monitor_stream_bad (stream,
                                  "more than " G_STRINGIFY (SP_MONITOR_MAX_EVENTS) " events");
  return SP_MONITOR_ANSWERED;
}

/* The next message that is no event. */
static SpMonitorResult
read_message (SpMonitorStream *stream, SpQmpMessage *ret_message)
{
  SpMonitorResult result;

  do {
    sp_qmp_message_clear (ret_message);
    result = read_line (stream, ret_message);
    if (result == SP_MONITOR_ANSWERED && ret_message->kind == SP_QMP_EVENT)
      result = take_event (stream, ret_message);
  } while (result == SP_MONITOR_ANSWERED && ret_message->kind == SP_QMP_EVENT);
  return result;
}

/* @arguments: JSON; NULL: none.  @says_text: the answer is a text. */
static SpMonitorResult
execute (SpMonitorStream *stream, const char *name, const char *arguments, gboolean says_text,
         SpQmpMessage *ret_message)
{
  g_autoptr (GString) text = g_string_new ("{\"execute\":");
  SpMonitorResult result;

  sp_json_append_string (text, name, -1);
  if (arguments != NULL)
    g_string_append_printf (text, ",\"arguments\":%s", arguments);
  g_string_append_printf (text, ",\"id\":%" G_GINT64_FORMAT "}\n", ++stream->id);
  result = sp_monitor_stream_write (stream, text->str, text->len);
  if (result == SP_MONITOR_ANSWERED)
    result = read_message (stream, ret_message);
  if (result != SP_MONITOR_ANSWERED)
    return result;
  if (ret_message->id != stream->id)
    return sp_monitor_stream_bad (stream, "an answer to something else");
  if (ret_message->kind != SP_QMP_ERROR &&
      (ret_message->kind != SP_QMP_RETURN || (ret_message->text != NULL) != says_text))
    return sp_monitor_stream_bad (stream, "an answer of another kind than was asked for");
  return SP_MONITOR_ANSWERED;
}

/* As a person would type it at the other monitor. */
static SpMonitorResult
execute_typed (SpMonitorStream *stream, const char *line, SpQmpMessage *ret_message)
{
  g_autoptr (GString) arguments = g_string_new ("{\"command-line\":");

  sp_json_append_string (arguments, line, -1);
  g_string_append_c (arguments, '}');
  return execute (stream, "human-monitor-command", arguments->str, TRUE, ret_message);
}

static SpMonitorResult
refused (SpMonitorStream *stream, const SpQmpMessage *message)
{
  g_string_assign (stream->said, message->text);
  return SP_MONITOR_REFUSED;
}

static SpMonitorResult
begin (SpMonitorStream *stream)
{
  g_auto (SpQmpMessage) greeting = { 0 };
  g_auto (SpQmpMessage) answer = { 0 };
  SpMonitorResult result = read_line (stream, &greeting);

  if (result != SP_MONITOR_ANSWERED)
    return result;
  if (greeting.kind != SP_QMP_GREETING)
    return sp_monitor_stream_bad (stream, "no greeting");
  result = execute (stream, "qmp_capabilities", NULL, FALSE, &answer);
  return result == SP_MONITOR_ANSWERED && answer.kind == SP_QMP_ERROR ? refused (stream, &answer)
                                                                      : result;
}

/* After a command that ends the machine; only events may come now. */
static SpMonitorResult
wait_for_end (SpMonitorStream *stream, SpMonitorVerb verb)
{
  gboolean may_stay = FALSE;

  for (;;) {
    g_auto (SpQmpMessage) message = { 0 };
    SpMonitorResult result;

    if (verb == SP_MONITOR_POWER_OFF && stream->shutdown && !may_stay) {
      may_stay = TRUE;
      stream->deadline =
          MIN (stream->deadline, g_get_monotonic_time () + (gint64) SHUTDOWN_MS * 1000);
    }
    result = read_line (stream, &message);
    if (result == SP_MONITOR_CLOSED || (result == SP_MONITOR_SILENT && may_stay))
      return SP_MONITOR_ANSWERED;
    if (result == SP_MONITOR_ANSWERED && message.kind != SP_QMP_EVENT)
      return sp_monitor_stream_bad (stream, "an answer that nobody asked for");
    if (result == SP_MONITOR_ANSWERED)
      result = take_event (stream, &message);
    if (result != SP_MONITOR_ANSWERED)
      return result;
  }
}

static SpMonitorResult
act (SpMonitorStream *stream, SpMonitorVerb verb, const char *argument)
{
  const SpMonitorVerbRow *row = sp_monitor_verb_row (verb);
  g_autofree char *line = sp_monitor_command_line (verb, argument);
  g_auto (SpQmpMessage) answer = { 0 };
  SpMonitorResult result;

  stream->shutdown = FALSE;
  result = row->native ? execute (stream, row->native, row->arguments, FALSE, &answer)
                       : execute_typed (stream, line, &answer);
  /* It may be gone before it has answered. */
  if (result == SP_MONITOR_CLOSED && row->ends)
    return SP_MONITOR_ANSWERED;
  if (result != SP_MONITOR_ANSWERED)
    return result;
  if (answer.kind == SP_QMP_ERROR)
    return refused (stream, &answer);
  if (!row->native)
    return sp_monitor_stream_judge (stream, verb, argument, answer.text);
  return row->ends ? wait_for_end (stream, verb) : SP_MONITOR_ANSWERED;
}

const SpMonitorDialect sp_monitor_qmp = { begin, act };
