/* prove.c - prove.h */
#include "host/vm/prove.h"

#include "base/problem.h"
#include "host/resident/admin-client.h"
#include "host/self.h"

#define PROOF_MS 60000u

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

static gboolean
is_ready (JsonNode *plugin)
{
  return JSON_NODE_HOLDS_OBJECT (plugin) &&
         g_str_equal (json_object_get_string_member_with_default (json_node_get_object (plugin),
                                                                  "state", ""),
                      "ready");
}

gboolean
sp_vm_is_well (const char *folder)
{
  g_autoptr (SpAdmin) admin = sp_admin_open_folder (folder, NULL);
  g_autoptr (JsonNode) status =
      admin ? sp_admin_call (admin, "vault.status", NULL, NULL, NULL) : NULL;
  JsonObject *object = status ? json_node_get_object (status) : NULL;
  JsonArray *plugins = object && json_object_has_member (object, "plugins")
                           ? json_object_get_array_member (object, "plugins")
                           : NULL;
  gboolean well =
      plugins != NULL &&
      g_str_equal (json_object_get_string_member_with_default (object, "health", ""), "ok");

  for (guint i = 0; well && i < json_array_get_length (plugins); i++)
    well = is_ready (json_array_get_element (plugins, i));
  return well;
}

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
