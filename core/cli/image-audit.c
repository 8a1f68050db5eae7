/* image-audit.c - `secret-proxy image audit DISK --base IMAGE`: what a takeover at trust `audited` would find */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/state.h"
#include "cli/findings.h"
#include "host/audit/audit.h"
#include "host/cloud/cloud-image.h"

#define NOT_OK 9

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
  sp_print_audit (cli, findings);
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
