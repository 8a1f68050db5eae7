/* notify.c - `secret-proxy notify answer`: an answer to a notice, through a notifier's answer socket
 *
 * A notifier whose answers may come later listens on a Unix socket: one line of JSON each way.  Whoever may
 * connect is the notifier's business, and what an answer counts is the vault's; this only carries it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/admin.h"
#include "cli/output.h"
#include "host/resident/admin-socket.h"
#include "host/resident/notifier-place.h"

#define SOCKET "answer.sock"
#define MAX_REPLY 8192u
#define WAIT_S 60

/* ---- where ------------------------------------------------------------------------------------------ */

static char *
socket_path (const SpCli *cli, GError **error)
{
  const char *notifier = sp_cli_get (cli, "notifier");
  g_autofree char *vault = sp_vault_folder (cli);
  g_autofree char *folder = notifier ? g_strconcat ("notify-", notifier, NULL) : NULL;

  if ((notifier == NULL) == !sp_cli_has (cli, "socket")) {
    g_set_error_literal (
        error, SP_PROBLEM, SP_PROBLEM_USAGE,
        "say where: --socket PATH, as the notifier has told it, or --notifier NAME");
    return NULL;
  }
  if (notifier == NULL)
    return g_canonicalize_filename (sp_cli_get (cli, "socket"), NULL);
  return g_build_filename (vault, SP_NOTIFIER_PLACE, folder, SOCKET, NULL);
}

static int
connect_to (const char *path, GError **error)
{
  const struct timeval wait = { .tv_sec = WAIT_S };
  g_autofree char *dir = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  int folder = open (dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int fd = folder >= 0 ? sp_socket_connect (folder, name) : -1;

  if (fd < 0)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
                 "no notifier listens at %s, or not to this user: %s", path, g_strerror (errno));
  else
    (void) setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  if (folder >= 0)
    (void) close (folder);
  return fd;
}

/* ---- one line each way ------------------------------------------------------------------------------- */

static char *
line_of (const SpCli *cli)
{
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  g_autofree char *text = NULL;

  json_node_take_object (root, object);
  json_object_set_string_member (object, "notice", cli->args[0]);
  json_object_set_string_member (object, "choice", cli->args[1]);
  json_object_set_string_member (object, "person", sp_cli_get (cli, "person"));
  text = sp_json_text (root);
  return g_strconcat (text, "\n", NULL);
}

static JsonObject *
read_reply (int fd, GError **error)
{
  static const char *const members[] = { "result", "text", "error", NULL };
  char reply[MAX_REPLY];
  gsize got = 0;
  gssize n;

  while (got < sizeof reply && (n = recv (fd, reply + got, sizeof reply - got, 0)) > 0)
    got += (gsize) n;
  if (got > 0)
    return sp_json_parse_object (reply, got, members, error);
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE,
                       "the notifier has closed the connection without an answer: it hears only "
                       "root and the user that it runs as");
  return NULL;
}

static JsonObject *
exchange (int fd, const char *line, GError **error)
{
  if (send (fd, line, strlen (line), MSG_NOSIGNAL) == (gssize) strlen (line))
    return read_reply (fd, error);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_UNREACHABLE, "cannot tell the notifier: %s",
               g_strerror (errno));
  return NULL;
}

/* ---- what became of it ------------------------------------------------------------------------------- */

/* Exit status and problem of each word but "taken" and "counted". */
static const struct {
  const char *word;
  SpProblemCode code;
  const char *sentence;
} failures[] = {
  { "not-allowed", SP_PROBLEM_DENIED, "this person may not decide it" },
  { "too-late", SP_PROBLEM_CONFLICT, "it was decided, or withdrawn, before" },
  { "unknown", SP_PROBLEM_NOT_FOUND, "there is no such notice, or no such choice" },
  { "try-again", SP_PROBLEM_UNREACHABLE, "the vault could not record it: try again" },
};

static gboolean
check_result (JsonObject *reply, const char *person, GError **error)
{
  const char *word = NULL, *text = NULL, *why = NULL;

  if (!sp_json_get_string (reply, "result", &word, error) ||
      !sp_json_get_string (reply, "text", &text, error) ||
      !sp_json_get_string (reply, "error", &why, error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (failures); i++)
    if (g_strcmp0 (word, failures[i].word) == 0) {
      g_set_error (error, SP_PROBLEM, (gint) failures[i].code, "the answer of %s did not count: %s",
                   person, text ? text : failures[i].sentence);
      return FALSE;
    }
  if (word != NULL)
    return TRUE;
  sp_problem_set_invalid (error, NULL, "the notifier did not understand it: %s", why ? why : "-");
  return FALSE;
}

int
sp_cli_notify_answer (SpCli *cli, GError **error)
{
  g_autofree char *path = NULL;
  g_autofree char *line = NULL;
  g_autoptr (JsonObject) reply = NULL;
  g_autoptr (JsonNode) result = NULL;
  int fd;

  if (!sp_cli_has (cli, "person")) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                         "say who answers: --person P, an id as [approver] lists it");
    return 1;
  }
  path = socket_path (cli, error);
  fd = path ? connect_to (path, error) : -1;
  if (fd < 0)
    return 1;
  line = line_of (cli);
  reply = exchange (fd, line, error);
  (void) close (fd);
  if (reply == NULL || !check_result (reply, sp_cli_get (cli, "person"), error))
    return 1;
  result = json_node_init_object (json_node_alloc (), reply);
  sp_print_sentence (cli, result, "%s",
                     json_object_get_string_member_with_default (reply, "text", "taken"));
  return 0;
}
