/* request-lists.c - requests and grants as administrators see them */
#include "base/problem.h"
#include "vault/vault-private.h"

/* So many of the longest fit into a line of the admin channel. */
#define PAGE 60u

static gboolean
parse_after (JsonObject *params, guint64 *ret_below, GError **error)
{
  const char *after = json_object_get_string_member_with_default (params, "after", "");

  *ret_below = G_MAXUINT64;
  if (*after == 0 || g_ascii_string_to_unsigned (after, 10, 0, G_MAXUINT64, ret_below, NULL))
    return TRUE;
  sp_problem_set_invalid (error, "after", "this is not what a list gave as next");
  return FALSE;
}

static JsonNode *
grant_to_json (const SpRequest *request)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  g_autofree char *decided = sp_time_format (request->decided_us);
  g_autofree char *expires = sp_time_format (request->deadline.wall_us);

  json_node_take_object (node, object);
  json_object_set_string_member (object, "id", request->id);
  json_object_set_string_member (object, "secret", request->secret);
  json_object_set_string_member (object, "agent", request->agent);
  json_object_set_string_member (object, "decided_by", request->decided_by);
  json_object_set_string_member (object, "decided_at", decided);
  json_object_set_string_member (object, "expires_at", expires);
  return node;
}

typedef gboolean (*Wanted) (SpVault *vault, const SpRequest *request, gconstpointer data);
typedef JsonNode *(*Show) (const SpRequest *request);

static void
list_requests (SpVault *vault, guint64 below, Wanted wanted, gconstpointer wanted_data, Show show,
               SpVaultDone done, gpointer data)
{
  JsonArray *items = json_array_new ();
  g_autofree char *next = NULL;
  guint64 last = 0;

  for (guint i = vault->requests->len; i > 0 && next == NULL; i--) {
    const SpRequest *request = g_ptr_array_index (vault->requests, i - 1);

    if (request->fresh || request->number >= below || !wanted (vault, request, wanted_data))
      continue;
    if (json_array_get_length (items) == PAGE) {
      next = g_strdup_printf ("%" G_GUINT64_FORMAT, last);
      continue;
    }
    json_array_add_element (items, show (request));
    last = request->number;
  }
  sp_answer_json (sp_page_json (items, next), NULL, done, data);
}

static gboolean
has_status (SpVault *vault, const SpRequest *request, gconstpointer data)
{
  const char *status = data;

  return status == NULL || g_str_equal (status, sp_request_status_name (request->status));
}

static JsonNode *
show_with_agent (const SpRequest *request)
{
  return sp_request_to_json (request, TRUE);
}

void
sp_vault_request_list (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "after:s", "status:s", NULL };
  GError *error = NULL;
  const char *status = NULL;
  SpRequestStatus unused;
  guint64 below;

  if (sp_params_check (params, allowed, &error))
    status = json_object_get_string_member_with_default (params, "status", NULL);
  if (status != NULL && !sp_request_status_from_name (status, &unused))
    sp_problem_set_invalid (&error, "status", "there is no status %s", status);
  if (error != NULL || !parse_after (params, &below, &error)) {
    sp_answer_error (error, done, data);
    return;
  }
  list_requests (vault, below, has_status, status, show_with_agent, done, data);
}

gboolean
sp_request_is_grant (SpVault *vault, const SpRequest *request)
{
  return request->status == SP_REQUEST_APPROVED && request->grant_s > 0 &&
         sp_deadline_left_ms (&request->deadline, vault->clock) > 0;
}

static gboolean
is_grant (SpVault *vault, const SpRequest *request, gconstpointer data)
{
  return sp_request_is_grant (vault, request);
}

void
sp_vault_grant_list (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "after:s", NULL };
  GError *error = NULL;
  guint64 below;

  if (!sp_params_check (params, allowed, &error) || !parse_after (params, &below, &error))
    sp_answer_error (error, done, data);
  else
    list_requests (vault, below, is_grant, NULL, grant_to_json, done, data);
}
