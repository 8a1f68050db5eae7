/* tool.c - image-tool.h with `qemu-img check` */
#include "host/image/tool.h"

#include <string.h>

#include "base/json.h"
#include "base/problem.h"
#include "base/text.h"
#include "host/image/sandbox.h"

#define TOOL "qemu-img"
#define MAX_QUOTE 200u

/* Its exit statuses. */
#define CORRUPT 2
#define LEAKS 3

static const char *const tool_argv[] = { TOOL,       "check", "-f",   "qcow2",
                                         "--output", "json",  "{in}", NULL };

static void
add (GPtrArray *findings, const char *code, char *message)
{
  SpImageFinding *finding = g_new0 (SpImageFinding, 1);

  finding->code = code;
  finding->message = message;
  g_ptr_array_add (findings, finding);
}

/* ---- the tool --------------------------------------------------------------------------------------------- */

static SpSandboxResult *
run (int fd, GError **error)
{
  /* Reference counts of 64 bits for 16 GiB in clusters of 512 bytes take 256 MiB. */
  const SpSandboxJob job = {
    .argv = tool_argv,
    .in_fd = fd,
    .max_memory = G_GUINT64_CONSTANT (1) << 30,
    .max_seconds = 60,
    .max_output = 64u * 1024u,
  };

  return sp_sandbox_run (&job, error);
}

/* Numbers of errors; 0 where there are none. */
static gboolean
read_counts (const SpSandboxResult *result, gint64 *ret_errors, GError **error)
{
  g_autoptr (JsonNode) node = sp_json_parse (result->out, strlen (result->out), 0, error);
  gint64 corruptions = 0, check_errors = 0;
  JsonObject *object;

  if (node == NULL)
    return FALSE;
  if (!JSON_NODE_HOLDS_OBJECT (node)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INVALID, "it is no object");
    return FALSE;
  }
  object = json_node_get_object (node);
  if (!sp_json_get_int (object, "corruptions", &corruptions, error) ||
      !sp_json_get_int (object, "check-errors", &check_errors, error))
    return FALSE;
  *ret_errors = MAX (corruptions, check_errors);
  return TRUE;
}

static void
judge (const SpSandboxResult *result, GPtrArray *findings)
{
  g_autoptr (GError) local = NULL;
  gint64 n_errors = 0;

  if (result->status != 0 && result->status != CORRUPT && result->status != LEAKS) {
    g_autofree char *valid = g_utf8_make_valid (result->err, -1);
    g_autofree char *text = sp_text_clean (valid, MAX_QUOTE);

    add (findings, "tool-refused",
         g_strdup_printf ("%s check ends with status %d: %s", TOOL, result->status, text));
    return;
  }
  if (!read_counts (result, &n_errors, &local)) {
    g_autofree char *text = sp_text_clean (local->message, MAX_QUOTE);

    add (findings, "tool-refused",
         g_strdup_printf ("what %s check prints can't be read: %s", TOOL, text));
    return;
  }
  if (result->status == CORRUPT || n_errors > 0)
    add (findings, "tool-corruption",
         g_strdup_printf ("%s check finds %" G_GINT64_FORMAT " errors in its reference counts",
                          TOOL, MAX (n_errors, 1)));
}

gboolean
sp_image_tool_run (int tables, GPtrArray *findings, GError **error)
{
  g_autoptr (SpSandboxResult) result = run (tables, error);

  if (result == NULL)
    return FALSE;
  judge (result, findings);
  return TRUE;
}
