/* image-audit.c - `secret-proxy image audit DISK --base IMAGE`: what a takeover at trust `audited` would find */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/state.h"
#include "cli/findings.h"
#include "cli/output.h"
#include "host/audit/audit.h"
#include "host/cloud/cloud-image.h"

#define NOT_OK 9

static void
print (const SpCli *cli, GPtrArray *findings)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *name = sp_escape_text (cli->args[0]);
  g_autofree char *table = NULL;
  JsonObject *object = json_object_new ();
  JsonArray *array = sp_findings_array (findings);

  json_object_set_boolean_member (object, "ok", findings->len == 0);
  json_object_set_array_member (object, "findings", array);
  json_node_take_object (node, object);
  if (findings->len == 0) {
    sp_print_sentence (cli, node, "%s has nothing but the base image and what is made new anyway",
                       name);
    return;
  }
  table = sp_findings_table (array);
  sp_print_sentence (cli, node, "%s is refused: %u findings\n\n%s", name, findings->len,
                     g_strchomp (table));
}

/* ---- what it is compared with ---------------------------------------------------------------------------------- */

/* A base image by itself, or with its bundle: a cloud image of the host's, or its folder. */
static gboolean
choose_base (const char *name, const char *state, SpAuditOptions *options, SpCloudImage **ret_image,
             GError **error)
{
  if (g_file_test (name, G_FILE_TEST_IS_REGULAR)) {
    options->base = name;
    return TRUE;
  }
  *ret_image = g_file_test (name, G_FILE_TEST_IS_DIR) ? sp_cloud_image_open (name, error)
                                                      : sp_cloud_image_find (state, name, error);
  if (*ret_image == NULL)
    return FALSE;
  options->base = (*ret_image)->base.path;
  options->base_sha256 = (*ret_image)->base.sha256;
  options->bundle = (*ret_image)->bundle.path;
  return TRUE;
}

static void
on_progress (const char *what, gpointer data)
{
  g_printerr ("secret-proxy: %s …\n", what);
}

/* ---- the disk --------------------------------------------------------------------------------------------------- */

static int
open_disk (const char *path, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  struct stat st;

  if (fd >= 0 && fstat (fd, &st) == 0 && S_ISREG (st.st_mode))
    return fd;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "cannot open the disk %s: %s", path,
               fd >= 0 ? "it is no plain file" : g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

static int
look (SpCli *cli, int fd, const SpAuditOptions *options, GError **error)
{
  g_autoptr (GPtrArray) findings = NULL;
  g_autoptr (SpAudit) audit = sp_audit_begin (fd, options, &findings, error);

  if (audit == NULL)
    return 1;
  print (cli, findings);
  return findings->len == 0 ? 0 : NOT_OK;
}

int
sp_cli_image_audit (SpCli *cli, GError **error)
{
  const char *base = sp_cli_get (cli, "base"), *accept = sp_cli_get (cli, "accept");
  g_auto (GStrv) accepted = accept ? sp_audit_parse_accept (accept, error) : NULL;
  g_autofree char *state = sp_state_dir ();
  g_autoptr (SpCloudImage) image = NULL;
  SpAuditOptions options = { .state = state,
                             .accept = (const char *const *) accepted,
                             .progress = on_progress };
  int fd, status;

  if (accept != NULL && accepted == NULL)
    return 1;
  if (base == NULL) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                         "name the image that the disk was made of with --base");
    return 1;
  }
  if (!choose_base (base, state, &options, &image, error))
    return 1;
  fd = open_disk (cli->args[0], error);
  if (fd < 0)
    return 1;
  status = look (cli, fd, &options, error);
  (void) close (fd);
  return status;
}
