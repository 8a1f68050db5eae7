/* try.c - steps 12 and 13: the agent reaches its vault, and a person can approve
 *
 * The vault is owned by now; what fails here is told, and nothing is taken back.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/problem.h"
#include "base/random.h"
#include "host/resident/admin-client.h"
#include "host/agent-file.h"
#include "host/self.h"
#include "host/takeover/private.h"
#include "host/vm/prove.h"

#define FAR_MS 60000u
#define NOT_FOUND 127
#define APPROVAL_S 120u
#define LEAST_TTL_S 30u
#define TRIAL "takeover-check"
#define TRIAL_FILE "takeover-check.json"
#define REASON "a test at the end of the takeover: the value means nothing"

/* ---- step 12 ------------------------------------------------------------------------------------------- */

static JsonNode *
endpoint_of (const SpTakeover *takeover, GError **error)
{
  g_autoptr (SpAdmin) admin = sp_admin_open_folder (takeover->folder, error);

  return admin ? sp_admin_call (admin, "host.endpoint", NULL, NULL, error) : NULL;
}

static gboolean
run_there (SpTakeover *takeover, const char *const *argv, int *ret_status, GError **error)
{
  g_autofree char *out = NULL;

  return sp_source_run (takeover->source, argv, FAR_MS, &out, ret_status, error);
}

/* With nothing of ours at the agent's side, curl does it, as the recipe has it. */
static gboolean
ask_there (SpTakeover *takeover, JsonObject *endpoint, int *ret_status, GError **error)
{
  const char *pin = json_object_get_string_member (endpoint, "tls_pin");
  const char *base = json_object_get_string_member (endpoint, "url");
  g_autofree char *url = g_strconcat (base, "/health", NULL);
  const char *const curl[] = { "curl",           "-sS", "-k", "-o",        "/dev/null",
                               "--max-time",     "20",  "-f", "--noproxy", "*",
                               "--pinnedpubkey", pin,   url,  NULL };
  g_autofree char *self = sp_self_path (error);
  const char *const ours[] = { sp_source_is_local (takeover->source) ? self : "secret-proxy",
                               "health",
                               base,
                               "--pin",
                               pin,
                               NULL };

  if (self == NULL || !run_there (takeover, ours, ret_status, error))
    return FALSE;
  return *ret_status != NOT_FOUND || run_there (takeover, curl, ret_status, error);
}

/* One that has a reason of its own not to serve is reached, and says no. */
static void
fail_to_reach (const SpTakeover *takeover, JsonObject *endpoint, int status, GError **error)
{
  const char *url = json_object_get_string_member (endpoint, "url");
  g_autofree char *why = sp_vm_why_not (takeover->folder);

  if (why != NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
                 "the vault at %s does not serve (%s): mend that in the config", url, why);
  else
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
                 "the agent does not reach %s from where it is (status %d): is `listen` an address "
                 "that it can reach?",
                 url, status);
}

gboolean
sp_takeover_verify (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  g_autoptr (JsonNode) endpoint = endpoint_of (takeover, error);
  int status = 0;

  if (endpoint == NULL || sp_takeover_source (takeover, error) == NULL ||
      !ask_there (takeover, json_node_get_object (endpoint), &status, error))
    return FALSE;
  *ret_skipped = status == NOT_FOUND;
  if (status == 0)
    *ret_message = g_strdup ("the agent reaches it, at the pinned key");
  else if (status == NOT_FOUND)
    *ret_message =
        g_strdup ("there is neither secret-proxy nor curl on the agent's side to try it");
  else
    fail_to_reach (takeover, json_node_get_object (endpoint), status, error);
  return status == 0 || status == NOT_FOUND;
}

/* ---- step 13: a throw-away agent asks for a throw-away secret ------------------------------------------- */

typedef struct {
  SpTakeover *takeover;
  SpAdmin *admin;
  SpSecret *value;
  char *file;
  char *ttl;
  SpSelfResult *result;
  GError *error;
} Trial;

static gboolean
add_agent (Trial *trial, GError **error)
{
  g_autofree char *vault = sp_takeover_vault_argument (trial->takeover);
  const char *const args[] = { "--json", "--vault", vault,       "agent", "add",
                               TRIAL,    "--write", trial->file, NULL };
  g_autoptr (SpSelfResult) added = sp_self_run (args, NULL, FAR_MS, error);

  if (added == NULL || added->status == 0)
    return added != NULL;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "%s", g_strchomp (added->err));
  return FALSE;
}

static gboolean
put_secret (Trial *trial, GError **error)
{
  g_autofree char *random = sp_random_id (32);
  JsonObject *params = sp_params_new ("name", TRIAL);
  JsonArray *allow = json_array_new ();
  g_autoptr (JsonNode) put = NULL;

  json_array_add_string_element (allow, TRIAL);
  json_object_set_array_member (params, "allow", allow);
  json_object_set_string_member (params, "description", "made by a takeover to test approvals");
  trial->value = sp_secret_new_from (random, strlen (random));
  put = sp_admin_call (trial->admin, "secret.put", params, trial->value, error);
  return put != NULL;
}

/* What is not there need not go. */
static void
forget (Trial *trial, const char *method)
{
  JsonNode *answer =
      sp_admin_call (trial->admin, method, sp_params_new ("name", TRIAL), NULL, NULL);

  g_clear_pointer (&answer, json_node_unref);
}

static void
clean_up (Trial *trial)
{
  forget (trial, "agent.revoke");
  forget (trial, "secret.rm");
  (void) unlink (trial->file);
}

static gpointer
ask (gpointer data)
{
  Trial *trial = data;
  guint seconds = trial->takeover->options->approval_s;
  g_autofree char *environment = g_strconcat ("SECRET_PROXY_AGENT_FILE=", trial->file, NULL);
  const char *const more[] = { environment, NULL };
  const char *const args[] = { "get", TRIAL, "--reason", REASON, "--ttl", trial->ttl, NULL };

  trial->result =
      sp_self_run (args, more, (seconds ? seconds : APPROVAL_S) * 1000 + FAR_MS, &trial->error);
  return NULL;
}

/* The id of the trial's request; NULL: none is pending. */
static char *
pending_request (Trial *trial)
{
  g_autoptr (JsonNode) list =
      sp_admin_list (trial->admin, "request.list", sp_params_new ("status", "pending"), 0, NULL);
  JsonArray *items =
      list ? json_object_get_array_member (json_node_get_object (list), "items") : NULL;

  for (guint i = 0; items != NULL && i < json_array_get_length (items); i++) {
    JsonObject *request = json_array_get_object_element (items, i);

    if (g_strcmp0 (json_object_get_string_member (request, "secret"), TRIAL) == 0)
      return g_strdup (json_object_get_string_member (request, "id"));
  }
  return NULL;
}

/* Without a notifier it is the administrator who approves, and that is who runs this. */
static void
approve_ourselves (Trial *trial)
{
  gint64 end = g_get_monotonic_time () + (gint64) FAR_MS * G_TIME_SPAN_MILLISECOND;
  g_autofree char *id = NULL;
  g_autoptr (JsonNode) approved = NULL;

  while ((id = pending_request (trial)) == NULL && g_get_monotonic_time () < end)
    g_usleep (50 * G_TIME_SPAN_MILLISECOND);
  if (id != NULL)
    approved =
        sp_admin_call (trial->admin, "request.approve", sp_params_new ("id", id), NULL, NULL);
}

static gboolean
same_value (const Trial *trial)
{
  gsize length = sp_secret_length (trial->value);

  return strlen (trial->result->out) == length &&
         memcmp (trial->result->out, sp_secret_data (trial->value), length) == 0;
}

/* What became of it, as a message; FALSE: the workflow does not work. */
static gboolean
judge (Trial *trial, gboolean *ret_skipped, char **ret_message, GError **error)
{
  SpProblemCode code =
      trial->result ? sp_problem_from_exit (trial->result->status) : sp_problem_code (trial->error);

  if (trial->result != NULL && trial->result->status == 0 && same_value (trial)) {
    *ret_message = g_strdup ("asked, approved, handed out once");
  } else if (trial->result != NULL &&
             trial->result->status == sp_problem_exit (SP_PROBLEM_DENIED)) {
    *ret_message = g_strdup ("asked and denied; nothing was handed out");
  } else if (code == SP_PROBLEM_TIMED_OUT) {
    *ret_skipped = TRUE;
    *ret_message = g_strdup ("nobody answered in time");
    g_free (trial->takeover->warning);
    trial->takeover->warning = g_strdup ("owned, not tested: nobody answered the request for "
                                         "approval in time");
  } else {
    g_set_error (error, SP_PROBLEM, code, "owned, but the approval workflow failed: %s",
                 trial->result ? g_strchomp (trial->result->err) : trial->error->message);
    return FALSE;
  }
  return TRUE;
}

static void
trial_clear (Trial *trial)
{
  sp_admin_free (trial->admin);
  g_clear_pointer (&trial->value, sp_secret_unref);
  sp_self_result_free (trial->result);
  g_clear_error (&trial->error);
  g_free (trial->file);
  g_free (trial->ttl);
}

gboolean
sp_takeover_try (gpointer data, char **ret_message, gboolean *ret_skipped, GError **error)
{
  SpTakeover *takeover = data;
  guint seconds = takeover->options->approval_s ? takeover->options->approval_s : APPROVAL_S;
  Trial trial = { .takeover = takeover };
  gboolean ok;

  trial.admin = sp_admin_open_folder (takeover->folder, error);
  if (trial.admin == NULL)
    return FALSE;
  trial.file = g_build_filename (takeover->folder, TRIAL_FILE, NULL);
  trial.ttl = g_strdup_printf ("%u", MAX (seconds, LEAST_TTL_S));
  clean_up (&trial); /* of a run that was interrupted */
  ok = add_agent (&trial, error) && put_secret (&trial, error);
  if (ok) {
    GThread *asking = g_thread_new ("trial", ask, &trial);

    if (takeover->vault->n_notifiers == 0)
      approve_ourselves (&trial);
    (void) g_thread_join (asking);
    ok = judge (&trial, ret_skipped, ret_message, error);
  }
  clean_up (&trial);
  trial_clear (&trial);
  return ok;
}
