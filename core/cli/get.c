/* get.c - `secret-proxy get`: ask, wait, print the value
 *
 * What must stay true: the value goes to stdout and nowhere else, byte by byte as it was stored.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/output.h"

static gboolean
check (const SpCli *cli, gint64 *ret_ttl, GError **error)
{
  if (!sp_cli_has (cli, "reason")) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                         "--reason is missing: the person who decides needs one");
    return FALSE;
  }
  if (isatty (STDOUT_FILENO) && !sp_cli_has (cli, "show")) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                         "stdout is a terminal, where the value would stay to be read: send it to "
                         "a program or file, or give --show");
    return FALSE;
  }
  return sp_cli_get_int (cli, "ttl", 1, 1000000, ret_ttl, error);
}

static gboolean
write_value (SpSecret *value, GError **error)
{
  const guint8 *data = sp_secret_data (value);
  gsize left = sp_secret_length (value);

  while (left > 0) {
    gssize n = write (STDOUT_FILENO, data, left);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot write the value: %s",
                   g_strerror (errno));
      return FALSE;
    }
    data += n;
    left -= (gsize) n;
  }
  return TRUE;
}

static void
print_object (const char *secret, const SpAnswerValue *answer)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  gboolean base64 = g_str_equal (answer->encoding, "base64");
  g_autofree char *text =
      base64 ? g_base64_encode (sp_secret_data (answer->value), sp_secret_length (answer->value))
             : g_strndup ((const char *) sp_secret_data (answer->value),
                          sp_secret_length (answer->value));

  json_node_take_object (node, object);
  json_object_set_string_member (object, "secret", secret);
  json_object_set_int_member (object, "version", answer->version);
  json_object_set_string_member (object, "value", text);
  json_object_set_string_member (object, "encoding", answer->encoding);
  sp_print_json (node);
}

static SpAnswerValue *
obtain (SpAgentClient *client, const SpAskWhat *what, gboolean *ret_grant,
        GCancellable *cancellable, GError **error)
{
  g_autoptr (SpAsk) ask = sp_ask_start (client, what, cancellable, error);
  SpAnswerValue *answer;

  if (ask == NULL)
    return NULL;
  *ret_grant = ask->grant;
  answer = sp_ask_wait (client, ask, cancellable, error)
               ? sp_ask_redeem (client, ask, cancellable, error)
               : NULL;
  sp_ask_cancel (client, ask);
  return answer;
}

/* A grant may end between being found and being used; then a person is asked as usual. */
static SpAnswerValue *
obtain_again (SpAgentClient *client, SpAskWhat *what, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) local = NULL;
  gboolean grant = FALSE;
  SpAnswerValue *answer = obtain (client, what, &grant, cancellable, &local);
  SpProblemCode code = local ? sp_problem_code (local) : SP_PROBLEM_INTERNAL;

  if (answer != NULL)
    return answer;
  if (grant && (code == SP_PROBLEM_EXPIRED || code == SP_PROBLEM_REVOKED)) {
    what->fresh = TRUE;
    return obtain (client, what, &grant, cancellable, error);
  }
  g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

int
sp_cli_get_value (SpCli *cli, GError **error)
{
  SpAskWhat what = { cli->args[0], sp_cli_get (cli, "reason"), -1, FALSE };
  g_autoptr (SpAgentFile) file = NULL;
  g_autoptr (SpAgentClient) client = NULL;
  g_autoptr (SpInterrupt) interrupt = NULL;
  g_autoptr (SpAnswerValue) answer = NULL;

  if (!check (cli, &what.ttl, error))
    return 1;
  file = sp_agent_file_read (NULL, error);
  if (file == NULL)
    return 1;
  client = sp_agent_client_new (file);
  interrupt = sp_interrupt_new ();
  answer = obtain_again (client, &what, sp_interrupt_cancellable (interrupt), error);
  if (answer == NULL)
    return 1;
  if (!sp_cli_has (cli, "json"))
    return write_value (answer->value, error) ? 0 : 1;
  print_object (what.secret, answer);
  return 0;
}
