/* client-json.c - how an open plugin is, as everyone is told who asks */
#include "base/clock.h"
#include "plugin/client-private.h"
#include "plugin/find.h"

JsonObject *
sp_plugin_client_to_json (const SpPluginClient *client)
{
  static const char *const states[] = { [SP_PLUGIN_DOWN] = "down",
                                        [SP_PLUGIN_READY] = "ready",
                                        [SP_PLUGIN_TROUBLED] = "troubled",
                                        [SP_PLUGIN_FAILED] = "failed" };
  g_autofree char *since = sp_time_format (client->since);
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "name", client->instance);
  json_object_set_string_member (object, "kind", sp_kind_word (client->kind));
  if (client->path != NULL)
    json_object_set_string_member (object, "plugin", client->path);
  json_object_set_string_member (object, "state", states[client->state]);
  if (client->why != NULL)
    json_object_set_string_member (object, "why", client->why);
  json_object_set_string_member (object, "since", since);
  return object;
}
