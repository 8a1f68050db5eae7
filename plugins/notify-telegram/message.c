/* message.c - the bodies of message.h
 *
 * What must stay true: callback data is a token and nothing else, so that neither a phone nor a log at
 * Telegram learns from it, and nothing can be made by changing it.
 */
#include "message.h"

static JsonObject *
make_button (const SpChoice *choice, const char *token)
{
  static const char *const styles[] = {
    [SP_CHOICE_APPROVE] = "success", [SP_CHOICE_DENY] = "danger"
  };
  JsonObject *button = json_object_new ();

  json_object_set_string_member (button, "text", choice->label);
  json_object_set_string_member (button, "callback_data", token);
  if (choice->style < G_N_ELEMENTS (styles) && styles[choice->style] != NULL)
    json_object_set_string_member (button, "style", styles[choice->style]);
  return button;
}

/* One button a row: labels stay whole on a phone, and a thumb hits one of them. */
JsonObject *
tg_message_keyboard (TgNotices *notices, TgPlace *place, const SpNotice *notice)
{
  JsonObject *keyboard;
  JsonArray *rows;

  if (notice->n_choices == 0)
    return NULL;
  keyboard = json_object_new ();
  rows = json_array_new ();
  for (gsize i = 0; i < notice->n_choices; i++) {
    TgButton *button = tg_notices_button (notices, place, notice->choices[i].id);
    JsonArray *row = json_array_new ();

    json_array_add_object_element (row, make_button (&notice->choices[i], button->token));
    json_array_add_array_element (rows, row);
  }
  json_object_set_array_member (keyboard, "inline_keyboard", rows);
  return keyboard;
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
