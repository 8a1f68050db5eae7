/* render.c - the points about render(): what people would see
 *
 * The core cleans what agents write before a notifier gets it.  Here it comes uncleaned, as it would after
 * a fault in the core: a notifier is the last that stands between an agent and the eyes of a person.
 */
#include "plugin/check/notice.h"

#include <string.h>

#define FORGED "Decision: approved by alice"
#define MANY_FIELDS 12
#define LONG_VALUE 2000

/* NULL: there is a verdict, or it was skipped. */
static char *
render (SpCheck *check, const SpNotice *notice)
{
  const SpPluginModule *module = sp_check_load (check);
  char *text;

  if (module == NULL)
    return NULL;
  if (module->notifier.render == NULL) {
    sp_check_skip (check, "it has no render()");
    return NULL;
  }
  sp_check_enter_uncancellable (check, "render()", 1000);
  text = module->notifier.render (notice);
  sp_check_leave_plain (check);
  if (text == NULL)
    sp_check_fail (check, "render() returned nothing");
  else if (!g_utf8_validate (text, -1, NULL))
    sp_check_fail (check, "render() returned bytes that are no UTF-8");
  else
    return text;
  g_free (text);
  return NULL;
}

static SpNotice
notice_of (const SpField *fields, gsize n_fields)
{
  SpNotice notice = *sp_check_notice ();

  notice.fields = fields;
  notice.n_fields = n_fields;
  return notice;
}

static char *
render_value (SpCheck *check, const char *value, guint32 origin)
{
  const SpField field = { "Reason", value, origin };
  const SpNotice notice = notice_of (&field, 1);

  return render (check, &notice);
}

static void
check_pure (SpCheck *check)
{
  g_autofree char *first = render (check, sp_check_notice ());
  g_autofree char *second = first != NULL ? render (check, sp_check_notice ()) : NULL;

  if (second != NULL && strcmp (first, second) != 0)
    sp_check_fail (check, "render() gave two texts for one notice");
}

static void
check_core (SpCheck *check)
{
  static const char *const wanted[] = { SP_CHECK_TITLE, "Asked by", SP_CHECK_CORE_VALUE };
  g_autofree char *text = render (check, sp_check_notice ());

  for (gsize i = 0; text != NULL && i < G_N_ELEMENTS (wanted); i++)
    if (strstr (text, wanted[i]) == NULL)
      sp_check_fail (check, "render() leaves out '%s', which the core wrote", wanted[i]);
}

static void
check_marked (SpCheck *check)
{
  g_autofree char *core = render_value (check, SP_CHECK_AGENT_VALUE, SP_FIELD_CORE);
  g_autofree char *agent =
      core != NULL ? render_value (check, SP_CHECK_AGENT_VALUE, SP_FIELD_AGENT) : NULL;

  if (agent != NULL && strcmp (core, agent) == 0)
    sp_check_fail (check, "what an agent claims looks just like what the core says");
}

static gboolean
has_line (const char *text, const char *start)
{
  g_auto (GStrv) lines = g_strsplit_set (text, "\n\r\v\f", -1);

  for (char **line = lines; *line != NULL; line++)
    if (g_str_has_prefix (g_strchug (*line), start))
      return TRUE;
  return FALSE;
}

static void
check_one_line (SpCheck *check)
{
  static const char *const breaks[] = { "\n", "\r", "\r\n", "\n\n  ", "\v", "\f" };

  for (gsize i = 0; i < G_N_ELEMENTS (breaks); i++) {
    g_autofree char *value = g_strdup_printf ("weekly%s" FORGED, breaks[i]);
    g_autofree char *text = render_value (check, value, SP_FIELD_AGENT);

    if (text == NULL)
      return;
    if (has_line (text, FORGED)) {
      sp_check_fail (check, "an agent's words can begin a line of their own: '" FORGED "'");
      return;
    }
  }
}

static void
check_invisible (SpCheck *check)
{
  static const struct {
    const char *text, *what;
  } rows[] = {
    { "\x1b", "the escape character" },
    { "\x07", "a control character" },
    { "\x7f", "the delete character" },
    { "\xc2\x9b", "a control character (U+009B)" },
    { "\xe2\x80\xae", "the mark that turns text around (U+202E)" },
    { "\xe2\x81\xa6", "a mark that turns text around (U+2066)" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *value = g_strdup_printf ("a%s[31mb", rows[i].text);
    g_autofree char *text = render_value (check, value, SP_FIELD_AGENT);

    if (text == NULL)
      return;
    if (strstr (text, rows[i].text) != NULL) {
      sp_check_fail (check, "it passes %s on from an agent's words", rows[i].what);
      return;
    }
  }
}

/* Only a text that has markup of its own can be taken over by markup. */
static void
check_markup (SpCheck *check)
{
  static const char *const tags[] = {
    "<b>", "<i>", "<code>", "<pre>", "<p>", "<br", "<blockquote>"
  };
  g_autofree char *plain = render (check, sp_check_notice ());
  g_autofree char *text = NULL;
  gboolean has_markup = FALSE;

  for (gsize i = 0; plain != NULL && i < G_N_ELEMENTS (tags); i++)
    has_markup |= strstr (plain, tags[i]) != NULL;
  if (!has_markup)
    return;
  text = render_value (check, "x<u>approved</u>&lt;", SP_FIELD_AGENT);
  if (text != NULL && strstr (text, "<u>") != NULL)
    sp_check_fail (check, "its text is markup, and it passes tags on from an agent's words");
}

static void
check_bounded (SpCheck *check)
{
  const SpPluginModule *module = sp_check_load (check);
  g_autofree char *value = g_strnfill (LONG_VALUE, 'w');
  SpField fields[MANY_FIELDS];
  SpNotice notice = notice_of (fields, MANY_FIELDS);
  g_autofree char *text = NULL;
  glong length;

  if (module == NULL)
    return;
  for (gsize i = 0; i < MANY_FIELDS; i++)
    fields[i] = (SpField){ "Reason", value, i == 0 ? SP_FIELD_CORE : SP_FIELD_AGENT };
  text = render (check, &notice);
  if (text == NULL)
    return;
  length = g_utf8_strlen (text, -1);
  if (module->notifier.max_text > 0 && length > (glong) module->notifier.max_text)
    sp_check_fail (check, "render() gave %ld characters, and its max_text is %u", length,
                   module->notifier.max_text);
  else if (strstr (text, SP_CHECK_TITLE) == NULL)
    sp_check_fail (check, "where an agent writes a lot the title is no longer seen");
}

static const SpCheckCase cases[] = {
  { .name = "notify/render-pure",
    .what = "render() gives the same text for the same notice",
    .mend = "leave the clock, random numbers and all state out of render()",
    .run = check_pure },
  { .name = "notify/render-core",
    .what = "title and fields of the core are shown as they are",
    .mend = "show the title, and label and value of each field",
    .run = check_core },
  { .name = "notify/render-marks-agent",
    .what = "an agent's claims are told from what the core says",
    .mend = "mark a field whose origin is SP_FIELD_AGENT, as in \"Reason (the agent says): …\"",
    .run = check_marked },
  { .name = "notify/render-one-line",
    .what = "an agent's words stay on their line",
    .mend = "replace line breaks in each value by a space or an escape",
    .run = check_one_line },
  { .name = "notify/render-visible",
    .what = "no control character gets through",
    .mend = "drop or escape control characters and bidirectional marks in each value",
    .run = check_invisible },
  { .name = "notify/render-markup",
    .what = "no tag of an agent gets through",
    .mend = "escape <, > and & in each value: g_markup_escape_text()",
    .run = check_markup },
  { .name = "notify/render-bounded",
    .what = "it keeps to max_text, and the title stays",
    .mend = "write the title first, and cut the values of agents",
    .run = check_bounded },
};

const SpCheckGroup sp_check_render_group = { SP_KIND_NOTIFIER, cases, G_N_ELEMENTS (cases) };
