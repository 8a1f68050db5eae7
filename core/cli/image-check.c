/* image-check.c - `secret-proxy image check FILE`: whether a qcow2 file could be taken over */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/findings.h"
#include "host/image/judge.h"

#define NOT_OK 9

static const SpColumn columns[] = {
  { "code", "code", SP_COLUMN_TEXT },
  { "message", "message", SP_COLUMN_TEXT },
};

/* The last part of the path is no link, and a pipe or a device doesn't hold us up. */
static int
open_image (const char *path, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  int saved = errno;
  g_autofree char *shown = fd < 0 ? sp_escape_text (path) : NULL;

  if (fd >= 0)
    return fd;
  if (saved == ENOENT)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "there is no file %s", shown);
  else if (saved == ELOOP)
    sp_problem_set_invalid (error, "FILE", "%s is a symbolic link: name the file itself", shown);
  else
    g_set_error (error, G_IO_ERROR, (gint) g_io_error_from_errno (saved), "cannot open %s: %s",
                 shown, g_strerror (saved));
  return -1;
}

static JsonArray *
array_of (GPtrArray *findings)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < findings->len; i++) {
    const SpImageFinding *finding = g_ptr_array_index (findings, i);
    JsonObject *object = json_object_new ();

    json_object_set_string_member (object, "code", finding->code);
    json_object_set_string_member (object, "message", finding->message);
    json_array_add_object_element (array, object);
  }
  return array;
}

int
sp_cli_image_check (SpCli *cli, GError **error)
{
  g_autoptr (GPtrArray) findings = NULL;
  int fd = open_image (cli->args[0], error);

  if (fd < 0)
    return 1;
  findings = sp_image_judge (fd, error);
  (void) close (fd);
  if (findings == NULL)
    return 1;
  sp_print_verdict (cli, array_of (findings), columns, G_N_ELEMENTS (columns), "is good");
  return findings->len == 0 ? 0 : NOT_OK;
}
