/* main.c - secret-proxy-audit: looks at a disk of a stranger's, and does to it what the host says
 *
 *      secret-proxy-audit tcg|kvm
 *
 * The only program that links libguestfs. It is started by the host in a sandbox of its own (room.h), with the
 * disk as a plain file in the one folder that it can write to. It writes the tree of the disk to stdout
 * (tree.h). What then comes on stdin is a plan (plan.h), which it carries out in the same session and answers
 * with "done"; where nothing comes, it ends. What went wrong is a line on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/audit/layout.h"
#include "host/audit/plan.h"
#include "host/audit/session.h"

static gboolean
lay_out (SpAuditTree *tree, GError **error)
{
  int fd = open (SP_AUDIT_DISK, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  gboolean ok;

  if (fd < 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot open the disk: %s",
                 g_strerror (errno));
    return FALSE;
  }
  ok = sp_audit_layout (fd, tree, error);
  (void) close (fd);
  return ok;
}

static gboolean
say (const char *text, GError **error)
{
  if (fputs (text, stdout) >= 0 && fflush (stdout) == 0)
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "nobody hears the answer");
  return FALSE;
}

/* All of stdin, bounded; empty: nothing is to be done. */
static char *
read_plan (GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[8192];
  gssize n;

  while ((n = read (STDIN_FILENO, buffer, sizeof buffer)) > 0 && text->len < SP_AUDIT_MAX_PLAN)
    g_string_append_len (text, buffer, n);
  if (n == 0)
    return g_string_free (g_steal_pointer (&text), FALSE);
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "what is to be done can't be read");
  return NULL;
}

static gboolean
carry_out (SpAuditSession *session, const SpAuditTree *tree, const char *plan, GError **error)
{
  if (!sp_audit_carry_out (session, tree, plan, error))
    return FALSE;
  if (guestfs_umount_all (session) != 0 || guestfs_shutdown (session) != 0)
    return sp_audit_session_fail (session, "what was changed can't be kept", error);
  return say (SP_AUDIT_DONE "\n", error);
}

static gboolean
run (gboolean kvm, GError **error)
{
  g_autoptr (SpAuditTree) tree = sp_audit_tree_new ();
  g_autoptr (SpAuditSession) session = NULL;
  g_autofree char *text = NULL;
  g_autofree char *plan = NULL;

  if (!lay_out (tree, error))
    return FALSE;
  session = sp_audit_session_new (kvm, error);
  if (session == NULL || !sp_audit_session_walk (session, tree, error))
    return FALSE;
  text = sp_audit_tree_text (tree);
  if (!say (text, error))
    return FALSE;
  plan = read_plan (error);
  if (plan == NULL)
    return FALSE;
  return *plan == 0 || carry_out (session, tree, plan, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  if (argc != 2) {
    (void) fputs ("usage: secret-proxy-audit tcg|kvm (the host starts it)\n", stderr);
    return 2;
  }
  if (run (g_str_equal (argv[1], "kvm"), &error))
    return EXIT_SUCCESS;
  (void) fprintf (stderr, "%s\n", error->message);
  return EXIT_FAILURE;
}
