/* rekey.c - host/audit/audit.h as a program: look at a disk, and give it keys where nothing is found
 *
 *      rekey STATE BASE DISK FOLDER
 *
 * FOLDER has login.pub, host and host.pub; the disk becomes FOLDER/system.qcow2.  What was found is a line each on
 * stdout: CODE PATH.  Exit status 9 where there is a finding.
 */
#include <fcntl.h>
#include <stdio.h>

#include "host/audit/audit.h"
#include "host/image/judge-private.h"
#include "host/image/judge.h"

static char *
text_in (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  char *text = NULL;

  (void) g_file_get_contents (path, &text, NULL, NULL);
  return text;
}

static int
print (GPtrArray *findings)
{
  for (guint i = 0; i < findings->len; i++) {
    const SpAuditFinding *finding = g_ptr_array_index (findings, i);

    (void) printf ("%s %s\n", finding->code, finding->path);
  }
  return 9;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) findings = NULL;
  g_autoptr (SpAudit) audit = NULL;
  g_autofree char *login = NULL;
  g_autofree char *host = NULL;
  g_autofree char *host_public = NULL;
  SpAuditOptions options = { 0 };

  /* The check of the disk's header runs in a child, which is this program. */
  if (argc > 2 && g_str_equal (argv[1], SP_IMAGE_ROLE))
    return sp_image_child_main (argc - 2, argv + 2);
  if (argc != 5)
    return 2;
  options.state = argv[1];
  options.base = argv[2];
  audit = sp_audit_begin (open (argv[3], O_RDONLY | O_CLOEXEC), &options, &findings, &error);
  if (audit != NULL && findings->len > 0)
    return print (findings);
  login = text_in (argv[4], "login.pub");
  host = text_in (argv[4], "host");
  host_public = text_in (argv[4], "host.pub");
  if (audit != NULL) {
    const SpAuditKeys keys = { login, host, host_public };

    if (sp_audit_rekey (audit, &keys, open (argv[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                        "system.qcow2", &error))
      return 0;
  }
  (void) fprintf (stderr, "%s\n", error->message);
  return 1;
}
