/* secret-lists.c - which secrets there are, for administrators and for agents; never a value */
#include <string.h>

#include "base/problem.h"
#include "base/random.h"
#include "vault/vault-private.h"

#define PAGE_BYTES (150u * 1024u)

/* ---- outside form ----------------------------------------------------------------------------------------- */

static JsonObject *
secret_to_object (const SpStoredSecret *secret)
{
  JsonObject *object = json_object_new ();
  g_autofree char *created = sp_time_format (secret->created_us);
  g_autofree char *updated = sp_time_format (secret->updated_us);

  json_object_set_string_member (object, "name", secret->name);
  json_object_set_string_member (object, "description", secret->description);
  json_object_set_int_member (object, "version", secret->version);
  if (secret->allow != NULL) {
    JsonArray *allow = json_array_new ();

    for (char **agent = secret->allow; *agent != NULL; agent++)
      json_array_add_string_element (allow, *agent);
    json_object_set_array_member (object, "allow", allow);
  } else {
    json_object_set_null_member (object, "allow");
  }
  json_object_set_string_member (object, "confirm", secret->confirm_code ? "code" : "tap");
  if (secret->grant_max_s != 0)
    json_object_set_int_member (object, "grant_max", secret->grant_max_s);
  else
    json_object_set_null_member (object, "grant_max");
  json_object_set_string_member (object, "created_at", created);
  json_object_set_string_member (object, "updated_at", updated);
  return object;
}

static gint
by_name (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(const char *const *) a, *(const char *const *) b);
}

/* About as long as its JSON: a page must fit into a line of the admin channel. */
static gsize
length_of (const SpStoredSecret *secret)
{
  gsize length = 400 + strlen (secret->name) + 2 * strlen (secret->description);

  for (char **agent = secret->allow; agent != NULL && *agent != NULL; agent++)
    length += strlen (*agent) + 3;
  return length;
}

/* A page of the names after @after, in order; *@ret_next: where the next one begins, or NULL. */
static GPtrArray *
names_after (SpVault *vault, const char *after, const char *agent, const char **ret_next)
{
  g_autofree gpointer *names = NULL;
  GPtrArray *page = g_ptr_array_new ();
  gsize length = 0;
  guint n = 0;

  *ret_next = NULL;
  names = g_hash_table_get_keys_as_array (vault->secrets, &n);
  qsort (names, n, sizeof *names, by_name);
  for (guint i = 0; i < n; i++) {
    SpStoredSecret *secret = g_hash_table_lookup (vault->secrets, names[i]);

    if ((after != NULL && *after != 0 && g_strcmp0 (names[i], after) <= 0) ||
        (agent != NULL && !sp_stored_secret_allows (secret, agent)))
      continue;
    length += length_of (secret);
    if (page->len == SP_PAGE || (page->len > 0 && length > PAGE_BYTES)) {
      *ret_next = ((SpStoredSecret *) g_ptr_array_index (page, page->len - 1))->name;
      break;
    }
    g_ptr_array_add (page, secret);
  }
  return page;
}

void
sp_vault_secret_list (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  static const char *const allowed[] = { "after:s", NULL };
  GError *error = NULL;
  g_autoptr (GPtrArray) page = NULL;
  JsonArray *items;
  const char *next;

  if (!sp_params_check (params, allowed, &error)) {
    sp_answer_error (error, done, data);
    return;
  }
  page = names_after (vault, json_object_get_string_member_with_default (params, "after", NULL),
                      NULL, &next);
  items = json_array_new ();
  for (guint i = 0; i < page->len; i++)
    json_array_add_object_element (items, secret_to_object (g_ptr_array_index (page, i)));
  sp_answer_json (sp_page_json (items, next), NULL, done, data);
}

/* What an agent sees of it. */
static JsonObject *
secret_for_agent (const SpStoredSecret *secret)
{
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "name", secret->name);
  json_object_set_string_member (object, "description", secret->description);
  json_object_set_string_member (object, "confirm", secret->confirm_code ? "code" : "tap");
  if (secret->grant_max_s != 0)
    json_object_set_int_member (object, "grant_max", secret->grant_max_s);
  else
    json_object_set_null_member (object, "grant_max");
  return object;
}

/* Names may hold what a URL's query may not, so a cursor is the name as base64url. */
static char *
cursor_to_name (const char *cursor)
{
  g_autofree char *text = g_strconcat (cursor, "===", NULL);
  g_autofree guchar *name = NULL;
  gsize length = 0;

  text[strlen (cursor) + (4 - strlen (cursor) % 4) % 4] = 0;
  g_strdelimit (g_strdelimit (text, "-", '+'), "_", '/');
  name = g_base64_decode (text, &length);
  return g_strndup ((const char *) name, length);
}

void
sp_vault_secrets (SpVault *vault, const char *token, const char *cursor, SpVaultDone done,
                  gpointer data)
{
  GError *error = NULL;
  const SpAgent *agent = sp_vault_authenticate (vault, token, &error);
  g_autofree char *after = NULL, *next_cursor = NULL;
  g_autoptr (GPtrArray) page = NULL;
  JsonArray *items;
  const char *next;

  if (agent == NULL) {
    sp_answer_error (error, done, data);
    return;
  }
  after = cursor_to_name (cursor);
  if (*cursor != 0 && !sp_name_check ("a cursor", after, NULL)) {
    sp_problem_set_invalid (&error, "cursor", "this is no cursor that a list gave");
    sp_answer_error (error, done, data);
    return;
  }
  page = names_after (vault, after, agent->name, &next);
  next_cursor = next ? sp_base64url (next, strlen (next)) : NULL;
  items = json_array_new ();
  for (guint i = 0; i < page->len; i++)
    json_array_add_object_element (items, secret_for_agent (g_ptr_array_index (page, i)));
  sp_answer_json (sp_page_json (items, next_cursor), NULL, done, data);
}

SpStoredSecret *
sp_vault_named_secret (SpVault *vault, JsonObject *params, GError **error)
{
  static const char *const allowed[] = { "name:s", NULL };
  const char *name;
  SpStoredSecret *secret;

  if (!sp_params_check (params, allowed, error))
    return NULL;
  name = json_object_get_string_member_with_default (params, "name", "");
  secret = g_hash_table_lookup (vault->secrets, name);
  if (secret == NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "no secret %s", name);
  return secret;
}

void
sp_vault_secret_show (SpVault *vault, JsonObject *params, SpVaultDone done, gpointer data)
{
  GError *error = NULL;
  const SpStoredSecret *secret = sp_vault_named_secret (vault, params, &error);
  JsonNode *node;

  if (secret == NULL) {
    sp_answer_error (error, done, data);
    return;
  }
  node = json_node_new (JSON_NODE_OBJECT);
  json_node_take_object (node, secret_to_object (secret));
  sp_answer_json (node, NULL, done, data);
}
