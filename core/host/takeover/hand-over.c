/* hand-over.c - step 11: the agent loses its VM and gets its token
 *
 * From here on there is no way back, so each part may be done again: after a crash in the middle the
 * whole step runs once more.
 */
#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "host/resident/admin-client.h"
#include "host/agent-file.h"
#include "host/takeover/private.h"

#define QUIT_MS 10000u

/* ---- what it loses ------------------------------------------------------------------------------------- */

/* The monitor is asked first, so that it may end well; then the process that qemu.pid names must end.  A
 * file that names something else is the agent's own doing, and stops nothing: what runs on there has no
 * part in the vault any more. */
static void
end_machine (SpTakeover *takeover)
{
  SpMonitor *monitor = sp_takeover_monitor (takeover, NULL);
  g_autoptr (GError) error = NULL;

  if (monitor != NULL)
    (void) sp_monitor_do (monitor, SP_MONITOR_QUIT, NULL, QUIT_MS, NULL);
  g_clear_pointer (&takeover->monitor, sp_monitor_free);
  if (sp_source_end_machine (takeover->source, &error))
    return;
  g_free (takeover->warning);
  takeover->warning =
      g_strdup_printf ("owned, but the agent's own VM may run on: %s", error->message);
}

static gboolean
remove_files (SpTakeover *takeover, GError **error)
{
  static const SpSourceFile files[] = { SP_SOURCE_READY, SP_SOURCE_MONITOR, SP_SOURCE_PID,
                                        SP_SOURCE_SEED, SP_SOURCE_DISK };

  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    if (!sp_source_remove (takeover->source, files[i], error))
      return FALSE;
  return TRUE;
}

/* ---- what it gets -------------------------------------------------------------------------------------- */

static const char *
member (JsonNode *node, const char *name)
{
  const char *text = NULL;

  if (node != NULL && JSON_NODE_HOLDS_OBJECT (node))
    (void) sp_json_get_string (json_node_get_object (node), name, &text, NULL);
  return text ? text : "";
}

/* One that is there already was made by a run of this step that did not come to its end. */
static JsonNode *
add_agent (SpAdmin *admin, const char *name, GError **error)
{
  g_autoptr (GError) local = NULL;
  JsonNode *agent = sp_admin_call (admin, "agent.add", sp_params_new ("name", name), NULL, &local);
  g_autoptr (JsonNode) revoked = NULL;

  if (agent != NULL)
    return agent;
  if (!g_error_matches (local, SP_PROBLEM, SP_PROBLEM_CONFLICT)) {
    g_propagate_error (error, g_steal_pointer (&local));
    return NULL;
  }
  revoked = sp_admin_call (admin, "agent.revoke", sp_params_new ("name", name), NULL, error);
  return revoked ? sp_admin_call (admin, "agent.add", sp_params_new ("name", name), NULL, error)
                 : NULL;
}

static SpSecret *
agent_file (JsonNode *agent, JsonNode *endpoint)
{
  g_autoptr (SpAgentFile) file = g_new0 (SpAgentFile, 1);
  const char *token = member (agent, "token");

  file->url = g_strdup (member (endpoint, "url"));
  file->tls_pin = g_strdup (member (endpoint, "tls_pin"));
  file->owner_key = g_strdup (member (endpoint, "owner_key"));
  file->token = sp_secret_new_from (token, strlen (token));
  return sp_agent_file_text (file);
}

static gboolean
deliver (SpTakeover *takeover, GError **error)
{
  g_autoptr (SpAdmin) admin = sp_admin_open_folder (takeover->folder, error);
  g_autoptr (JsonNode) endpoint = NULL;
  g_autoptr (JsonNode) agent = NULL;
  g_autoptr (SpSecret) text = NULL;

  if (admin == NULL ||
      (endpoint = sp_admin_call (admin, "host.endpoint", NULL, NULL, error)) == NULL ||
      (agent = add_agent (admin, takeover->from->name, error)) == NULL)
    return FALSE;
  text = agent_file (agent, endpoint);
  return sp_source_write_agent (takeover->source, text, error);
}

gboolean
sp_takeover_hand_over (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;

  if (sp_takeover_source (takeover, error) == NULL)
    return FALSE;
  end_machine (takeover);
  if (!remove_files (takeover, error) || !deliver (takeover, error))
    return FALSE;
  *ret_message = g_strdup_printf ("its VM has ended, monitor, ready file and disk are gone; it has "
                                  "a token as agent %s in " SP_STAGING_AGENT,
                                  takeover->from->name);
  return TRUE;
}
