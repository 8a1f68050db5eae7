/* message.c - the bodies of message.h
 *
 * What must stay true: callback data is a token and nothing else, so that neither a phone nor a log at
 * Telegram learns from it, and nothing can be made by changing it.
 */
#include "message.h"

#define SHORT_LABEL 8
#define ROW_BUTTONS 3u

static JsonObject *
make_button (const char *label, const char *token, guint32 style)
{
  static const char *const styles[] = {
    [SP_CHOICE_APPROVE] = "success", [SP_CHOICE_DENY] = "danger"
  };
  JsonObject *button = json_object_new ();

  json_object_set_string_member (button, "text", label);
  json_object_set_string_member (button, "callback_data", token);
  if (style < G_N_ELEMENTS (styles) && styles[style] != NULL)
    json_object_set_string_member (button, "style", styles[style]);
  return button;
}

/* A code, say: short enough that several share a row. */
static gboolean
is_short (const SpChoice *choice)
{
  return choice->style == SP_CHOICE_PLAIN && g_utf8_strlen (choice->label, -1) <= SHORT_LABEL;
}

/* One button a row: labels stay whole on a phone, and a thumb hits one of them.  But short ones between
 * which to choose stand side by side. */
JsonObject *
tg_message_keyboard (TgNotices *notices, TgPlace *place, const SpNotice *notice)
{
  JsonObject *keyboard;
  JsonArray *rows, *row = NULL;

  if (notice->n_choices == 0)
    return NULL;
  keyboard = json_object_new ();
  rows = json_array_new ();
  for (gsize i = 0; i < notice->n_choices; i++) {
    TgButton *button = tg_notices_button (notices, place, notice->choices[i].id);
    gboolean beside = i > 0 && is_short (&notice->choices[i]) &&
                      is_short (&notice->choices[i - 1]) &&
                      json_array_get_length (row) < ROW_BUTTONS;

    if (!beside) {
      row = json_array_new ();
      json_array_add_array_element (rows, row);
    }
    json_array_add_object_element (
        row, make_button (notice->choices[i].label, button->token, notice->choices[i].style));
  }
  json_object_set_array_member (keyboard, "inline_keyboard", rows);
  return keyboard;
}

JsonObject *
tg_message_lone_button (const char *label, const char *token, SpChoiceStyle style)
{
  JsonObject *keyboard = json_object_new ();
  JsonArray *rows = json_array_new (), *row = json_array_new ();

  json_array_add_object_element (row, make_button (label, token, style));
  json_array_add_array_element (rows, row);
  json_object_set_array_member (keyboard, "inline_keyboard", rows);
  return keyboard;
}

void
tg_message_reply_to (JsonObject *body, gint64 message)
{
  JsonObject *reply = json_object_new ();

  json_object_set_int_member (reply, "message_id", message);
  json_object_set_boolean_member (reply, "allow_sending_without_reply", TRUE);
  json_object_set_object_member (body, "reply_parameters", reply);
}

JsonObject *
tg_message_body (gint64 chat, const char *text, gboolean html)
{
  JsonObject *body = json_object_new ();
  JsonObject *preview = json_object_new ();

  json_object_set_int_member (body, "chat_id", chat);
  json_object_set_string_member (body, "text", text);
  if (html)
    json_object_set_string_member (body, "parse_mode", "HTML");
  json_object_set_boolean_member (preview, "is_disabled", TRUE);
  json_object_set_object_member (body, "link_preview_options", preview);
  return body;
}
