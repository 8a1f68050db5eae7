/* ownership.c - `secret-proxy ownership show|verify`
 *
 * For administrators (--vault) the statement comes from the host; for agents everything comes from
 * what answers at the address in agent.json, and is checked against the owner's key there.
 */
#include "host/ownership.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "base/json.h"
#include "base/random.h"
#include "cli/admin.h"
#include "cli/agent-client.h"
#include "cli/output.h"

#define NONCE_LENGTH 32u

static const SpColumn fields[] = {
  { "vault", "vault", SP_COLUMN_TEXT },
  { "trust", "trust", SP_COLUMN_TEXT },
  { "acceleration", "acceleration", SP_COLUMN_TEXT },
  { "maintenance", "maintenance", SP_COLUMN_TEXT },
  { "taken at", "taken_at", SP_COLUMN_TIME },
  { "vault key", "vault_key", SP_COLUMN_TEXT },
  { "host key", "host_key", SP_COLUMN_TEXT },
  { "tls pin", "tls_pin", SP_COLUMN_TEXT },
  { "approvers", "approvers", SP_COLUMN_TEXT },
  { "image", "measured image", SP_COLUMN_TEXT },
  { "base image", "measured base", SP_COLUMN_TEXT },
  { "bundle", "measured bundle", SP_COLUMN_TEXT },
  { "kernel", "measured kernel", SP_COLUMN_TEXT },
  { "initrd", "measured initrd", SP_COLUMN_TEXT },
  { "root", "measured root", SP_COLUMN_TEXT },
  { "command line", "measured cmdline", SP_COLUMN_TEXT },
  { "plugins", "measured plugins", SP_COLUMN_TEXT },
};

static const char *
member (JsonObject *object, const char *name)
{
  const char *text = NULL;

  (void) sp_json_get_string (object, name, &text, NULL);
  return text ? text : "";
}

/* Where to go and what to expect there: agent.json, or for an administrator the same from the host. */
static SpAgentFile *
endpoint (const SpCli *cli, GError **error)
{
  g_autoptr (JsonNode) node = NULL;
  JsonObject *object;
  SpAgentFile *file;

  if (!sp_cli_has (cli, "vault"))
    return sp_agent_file_read (NULL, error);
  node = sp_admin_call_once (cli, "host.endpoint", NULL, error);
  if (node == NULL || !JSON_NODE_HOLDS_OBJECT (node))
    return NULL;
  object = json_node_get_object (node);
  file = g_new0 (SpAgentFile, 1);
  file->url = g_strdup (member (object, "url"));
  file->tls_pin = g_strdup (member (object, "tls_pin"));
  file->owner_key = g_strdup (member (object, "owner_key"));
  file->token = NULL; /* /v1/ownership needs none */
  return file;
}

static JsonObject *
fetch (const SpAgentFile *file, GBytes *nonce, GError **error)
{
  g_autoptr (SpAgentClient) client = sp_agent_client_new (file);
  g_autofree char *hex = sp_hex (g_bytes_get_data (nonce, NULL), g_bytes_get_size (nonce));
  g_autofree char *path = g_strconcat ("/v1/ownership?nonce=", hex, NULL);
  const SpAgentCall call = { .method = "GET", .path = path };

  return sp_agent_client_call (client, &call, NULL, error);
}

static GBytes *
nonce_new (void)
{
  guint8 bytes[NONCE_LENGTH];

  if (gnutls_rnd (GNUTLS_RND_NONCE, bytes, sizeof bytes) != 0)
    g_error ("the system has no randomness");
  return g_bytes_new (bytes, sizeof bytes);
}

/* The statement that is signed and proven, and that names the key that we met. */
static JsonObject *
verified (const SpAgentFile *file, GError **error)
{
  g_autoptr (GBytes) nonce = nonce_new ();
  g_autoptr (JsonObject) answer = fetch (file, nonce, error);
  g_autoptr (JsonObject) statement = NULL;

  if (answer == NULL)
    return NULL;
  statement = sp_ownership_verify (member (answer, "statement"), member (answer, "signature"),
                                   file->owner_key, error);
  if (statement == NULL ||
      !sp_ownership_verify_proof (member (answer, "statement"), member (answer, "signature"),
                                  member (statement, "vault_key"), nonce, member (answer, "proof"),
                                  error))
    return NULL;
  if (!g_str_equal (member (statement, "tls_pin"), file->tls_pin)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                         "the ownership statement names another TLS key");
    return NULL;
  }
  return g_steal_pointer (&statement);
}

static JsonNode *
node_of (JsonObject *object)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);

  json_node_take_object (node, object);
  return node;
}

int
sp_cli_ownership_verify (SpCli *cli, GError **error)
{
  g_autoptr (SpAgentFile) file = endpoint (cli, error);
  g_autoptr (JsonObject) statement = file ? verified (file, error) : NULL;
  g_autoptr (JsonNode) result = NULL;
  JsonObject *object;

  if (statement == NULL)
    return 1;
  object = json_object_new ();
  result = node_of (object);
  json_object_set_boolean_member (object, "ok", TRUE);
  json_object_set_string_member (object, "vault", member (statement, "vault"));
  json_object_set_string_member (object, "trust", member (statement, "trust"));
  sp_print_sentence (cli, result, "%s is vault %s of the owner in question (trust: %s)", file->url,
                     member (statement, "vault"), member (statement, "trust"));
  return 0;
}

/* For people: what was measured as members beside the others. */
static void
spread_measurement (JsonObject *statement)
{
  JsonNode *member = json_object_get_member (statement, "measurement");
  JsonObject *measurement = member && JSON_NODE_HOLDS_OBJECT (member)
                                ? json_object_ref (json_node_get_object (member))
                                : NULL;
  g_autoptr (GList) names = measurement ? json_object_get_members (measurement) : NULL;

  for (GList *name = names; name != NULL; name = name->next) {
    g_autofree char *spread = g_strconcat ("measured ", name->data, NULL);

    json_object_set_member (statement, spread,
                            json_node_copy (json_object_get_member (measurement, name->data)));
  }
  g_clear_pointer (&measurement, json_object_unref);
}

static void
show (const SpCli *cli, JsonNode *node)
{
  g_autoptr (JsonNode) statement = NULL;
  const char *text = member (json_node_get_object (node), "statement");

  if (!sp_cli_has (cli, "json"))
    statement = sp_json_parse (text, strlen (text), 0, NULL);
  if (statement != NULL && JSON_NODE_HOLDS_OBJECT (statement))
    spread_measurement (json_node_get_object (statement));
  sp_print_fields (cli, statement ? statement : node, fields, G_N_ELEMENTS (fields));
}

int
sp_cli_ownership_show (SpCli *cli, GError **error)
{
  g_autoptr (JsonNode) node = NULL;

  if (sp_cli_has (cli, "vault")) {
    node = sp_admin_call_once (cli, "host.ownership", NULL, error);
  } else {
    g_autoptr (SpAgentFile) file = sp_agent_file_read (NULL, error);
    g_autoptr (GBytes) nonce = nonce_new ();
    JsonObject *answer = file ? fetch (file, nonce, error) : NULL;

    node = answer ? node_of (answer) : NULL;
  }
  if (node == NULL)
    return 1;
  show (cli, node);
  return 0;
}
