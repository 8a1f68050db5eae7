/* prove.c - prove.h */
#include "host/vm/prove.h"

#include "base/problem.h"
#include "base/text.h"
#include "host/resident/admin-client.h"
#include "host/self.h"

#define PROOF_MS 60000u
#define MAX_REASON 300u

static gboolean
run (const char *const *args, GError **error)
{
  g_autoptr (SpSelfResult) result = sp_self_run (args, NULL, PROOF_MS, error);

  if (result == NULL || result->status == 0)
    return result != NULL;
  g_strchomp (result->err);
  g_set_error (error, SP_PROBLEM, sp_problem_from_exit (result->status), "%s", result->err);
  return FALSE;
}

gboolean
sp_vm_prove (const char *folder, GError **error)
{
  g_autofree char *vault = g_strconcat (folder, "/", NULL);
  const char *const args[] = { "--json", "--vault", vault, "ownership", "verify", NULL };

  return run (args, error);
}

/* ---- by its own word ------------------------------------------------------------------------------------- */

static JsonNode *
status_of (const char *folder)
{
  g_autoptr (SpAdmin) admin = sp_admin_open_folder (folder, NULL);

  return admin ? sp_admin_call (admin, "vault.status", NULL, NULL, NULL) : NULL;
}

static const char *
text_of (JsonObject *object, const char *member)
{
  return json_object_get_string_member_with_default (object, member, "");
}

static gboolean
serves (JsonObject *status)
{
  return g_str_equal (text_of (status, "health"), "ok");
}

/* NULL: it does not say. */
static JsonArray *
plugins_of (JsonObject *status)
{
  JsonNode *plugins = json_object_get_member (status, "plugins");

  return plugins && JSON_NODE_HOLDS_ARRAY (plugins) ? json_node_get_array (plugins) : NULL;
}

static gboolean
is_ready (JsonNode *plugin)
{
  return JSON_NODE_HOLDS_OBJECT (plugin) &&
         g_str_equal (text_of (json_node_get_object (plugin), "state"), "ready");
}

gboolean
sp_vm_is_well (const char *folder)
{
  g_autoptr (JsonNode) status = status_of (folder);
  JsonObject *object = status ? json_node_get_object (status) : NULL;
  JsonArray *plugins = object ? plugins_of (object) : NULL;
  gboolean well = plugins != NULL && serves (object);

  for (guint i = 0; well && i < json_array_get_length (plugins); i++)
    well = is_ready (json_array_get_element (plugins, i));
  return well;
}

static void
add_reason (GString *reasons, JsonObject *plugin)
{
  g_autofree char *reason = g_strdup_printf ("%s %s: %s", text_of (plugin, "kind"),
                                             text_of (plugin, "name"), text_of (plugin, "why"));
  g_autofree char *clean = sp_text_clean (reason, MAX_REASON);

  g_string_append_printf (reasons, "%s%s", reasons->len > 0 ? "; " : "", clean);
}

char *
sp_vm_why_not (const char *folder)
{
  g_autoptr (JsonNode) status = status_of (folder);
  JsonObject *object = status ? json_node_get_object (status) : NULL;
  JsonArray *plugins = object && !serves (object) ? plugins_of (object) : NULL;
  GString *reasons = g_string_new (NULL);

  for (guint i = 0; plugins != NULL && i < json_array_get_length (plugins); i++) {
    JsonNode *plugin = json_array_get_element (plugins, i);

    if (JSON_NODE_HOLDS_OBJECT (plugin) && !is_ready (plugin))
      add_reason (reasons, json_node_get_object (plugin));
  }
  return g_string_free (reasons, reasons->len == 0);
}

/* ---- over HTTPS --------------------------------------------------------------------------------------------- */

gboolean
sp_vm_serves (const char *folder, GError **error)
{
  g_autoptr (SpAdmin) admin = sp_admin_open_folder (folder, error);
  g_autoptr (JsonNode) endpoint =
      admin ? sp_admin_call (admin, "host.endpoint", NULL, NULL, error) : NULL;
  JsonObject *object = endpoint ? json_node_get_object (endpoint) : NULL;
  const char *const args[] = { "--json",
                               "health",
                               object ? json_object_get_string_member (object, "url") : NULL,
                               "--pin",
                               object ? json_object_get_string_member (object, "tls_pin") : NULL,
                               NULL };

  return object != NULL && run (args, error);
}
