/* secret.c - `secret-proxy secret put|list|show|rm|rotate`
 *
 * What must stay true: a value comes from stdin and is in locked memory until it is on the socket; it is
 * in no argument and in no message.
 */
#include <string.h>

#include "cli/admin.h"
#include "cli/output.h"
#include "cli/prompt.h"

#define MAX_VALUE (64u * 1024u)

static const SpColumn columns[] = {
  { "NAME", "name", SP_COLUMN_TEXT },
  { "VERSION", "version", SP_COLUMN_TEXT },
  { "CONFIRM", "confirm", SP_COLUMN_TEXT },
  { "GRANT", "grant_max", SP_COLUMN_DURATION },
  { "ALLOW", "allow", SP_COLUMN_LIST },
  { "UPDATED", "updated_at", SP_COLUMN_TIME },
  { "DESCRIPTION", "description", SP_COLUMN_TEXT },
};

static const SpColumn fields[] = {
  { "name", "name", SP_COLUMN_TEXT },          { "description", "description", SP_COLUMN_TEXT },
  { "version", "version", SP_COLUMN_TEXT },    { "allow", "allow", SP_COLUMN_LIST },
  { "confirm", "confirm", SP_COLUMN_TEXT },    { "grant at most", "grant_max", SP_COLUMN_DURATION },
  { "created", "created_at", SP_COLUMN_TIME }, { "updated", "updated_at", SP_COLUMN_TIME },
};

/* ---- put ---------------------------------------------------------------------------------------------- */

static SpSecret *
decode (SpSecret *text, GError **error)
{
  gsize length = sp_secret_length (text);
  const char *data = (const char *) sp_secret_data (text);
  SpSecret *value;

  /* Tools end their output with a newline, which is no part of it. */
  while (length > 0 && g_ascii_isspace (data[length - 1]))
    length--;
  value = sp_secret_from_base64 (data, length);
  if (value == NULL)
    sp_problem_set_invalid (error, "value", "the value on stdin is no base64");
  return value;
}

static SpSecret *
read_value (const SpCli *cli, GError **error)
{
  gboolean base64 = sp_cli_has (cli, "base64");
  g_autoptr (SpSecret) input = sp_read_value (base64 ? MAX_VALUE * 2 : MAX_VALUE, error);
  g_autoptr (SpSecret) value = NULL;

  if (input == NULL)
    return NULL;
  value = base64 ? decode (input, error) : sp_secret_ref (input);
  if (value != NULL && sp_secret_length (value) > MAX_VALUE) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_TOO_LARGE, "a value has at most %u bytes",
                 MAX_VALUE);
    return NULL;
  }
  return g_steal_pointer (&value);
}

static JsonArray *
split_names (const char *text)
{
  g_auto (GStrv) names = g_strsplit (text, ",", -1);
  JsonArray *array = json_array_new ();

  for (char **name = names; *name != NULL; name++)
    if (*g_strstrip (*name) != 0)
      json_array_add_string_element (array, *name);
  return array;
}

static JsonObject *
put_params (const SpCli *cli, GError **error)
{
  static const char *const texts[] = { "description", "confirm" };
  g_autoptr (JsonObject) params = sp_params_new ("name", cli->args[0]);
  gint64 grant_max = -1;

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    if (sp_cli_has (cli, texts[i]))
      json_object_set_string_member (params, texts[i], sp_cli_get (cli, texts[i]));
  if (sp_cli_has (cli, "allow"))
    json_object_set_array_member (params, "allow", split_names (sp_cli_get (cli, "allow")));
  if (!sp_cli_get_seconds (cli, "grant-max", &grant_max, error))
    return NULL;
  if (grant_max >= 0)
    json_object_set_int_member (params, "grant_max", grant_max);
  return g_steal_pointer (&params);
}

int
sp_cli_secret_put (SpCli *cli, GError **error)
{
  g_autoptr (JsonObject) params = put_params (cli, error);
  g_autoptr (SpAdmin) admin = params ? sp_admin_open (cli, error) : NULL;
  g_autoptr (SpSecret) value = admin ? read_value (cli, error) : NULL;
  g_autoptr (JsonNode) result = NULL;

  if (value == NULL)
    return 1;
  result = sp_admin_call (admin, "secret.put", g_steal_pointer (&params), value, error);
  if (result == NULL)
    return 1;
  sp_print_sentence (
      cli, result, "stored %s, version %" G_GINT64_FORMAT, cli->args[0],
      json_object_get_int_member_with_default (json_node_get_object (result), "version", 0));
  return 0;
}

/* ---- the others ------------------------------------------------------------------------------------------ */

int
sp_cli_secret_list (SpCli *cli, GError **error)
{
  g_autoptr (JsonNode) list = sp_admin_list_once (cli, "secret.list", NULL, error);

  if (list == NULL)
    return 1;
  sp_print_items (cli, list, columns, G_N_ELEMENTS (columns));
  return 0;
}

int
sp_cli_secret_show (SpCli *cli, GError **error)
{
  g_autoptr (JsonNode) secret =
      sp_admin_call_once (cli, "secret.show", sp_params_new ("name", cli->args[0]), error);

  if (secret == NULL)
    return 1;
  sp_print_fields (cli, secret, fields, G_N_ELEMENTS (fields));
  return 0;
}

int
sp_cli_secret_rm (SpCli *cli, GError **error)
{
  g_autoptr (JsonNode) result = NULL;

  if (!sp_confirm (cli, error, "remove the secret %s and end all requests for it", cli->args[0]))
    return 1;
  result = sp_admin_call_once (cli, "secret.rm", sp_params_new ("name", cli->args[0]), error);
  if (result == NULL)
    return 1;
  sp_print_sentence (cli, result, "removed %s", cli->args[0]);
  return 0;
}

int
sp_cli_secret_rotate (SpCli *cli, GError **error)
{
  static const SpColumn rotated[] = { { "epoch", "epoch", SP_COLUMN_TEXT },
                                      { "secrets", "secrets", SP_COLUMN_TEXT } };
  g_autoptr (JsonNode) result = sp_admin_call_once (cli, "secret.rotate", NULL, error);

  if (result == NULL)
    return 1;
  sp_print_fields (cli, result, rotated, G_N_ELEMENTS (rotated));
  return 0;
}
