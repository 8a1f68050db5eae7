/* program.c - where the program that looks at disks is: beside this one in the build tree, else installed */
#include "host/audit/room.h"

#include "base/problem.h"
#include "host/self.h"
#include "sp-build.h"

#define PROGRAM "secret-proxy-audit"

char *
sp_audit_program (GError **error)
{
  g_autofree char *self = sp_self_path (error);
  g_autofree char *dir = self ? g_path_get_dirname (self) : NULL;
  g_autofree char *beside = dir ? g_build_filename (dir, PROGRAM, NULL) : NULL;

  if (beside == NULL || g_file_test (beside, G_FILE_TEST_IS_EXECUTABLE))
    return g_steal_pointer (&beside);
  if (g_file_test (SP_AUDIT_PROGRAM, G_FILE_TEST_IS_EXECUTABLE))
    return g_strdup (SP_AUDIT_PROGRAM);
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                       "there is no " PROGRAM ": it was built without libguestfs");
  return NULL;
}
