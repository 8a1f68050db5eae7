/* carry-out.c - session.h: the acts of a plan, one after another
 *
 * The host has looked whether something is in the way; here it is looked at once more, right before each act.
 *
 * What must stay true: a file is written under a name that is not there, and then given its own; so neither a
 * link nor a second name of a file is ever written through.
 */
#include <string.h>

#include "base/problem.h"
#include "host/audit/plan.h"
#include "host/audit/session.h"

#define DRAFT ".secret-proxy-new"
#define MAX_WORDS 7u

typedef struct {
  SpAuditSession *session;
  char *path;
  char **words; /* those behind the path */
} Act;

static gboolean
fail (const Act *act, const char *what, GError **error)
{
  g_autofree char *shown = sp_audit_escape (act->path);
  g_autofree char *text = g_strdup_printf ("%s %s", what, shown);

  return sp_audit_session_fail (act->session, text, error);
}

/* The type of what is there; 0: nothing. */
static guint
type_at (SpAuditSession *session, const char *path)
{
  struct guestfs_statns *state = guestfs_lstatns (session, path);
  guint type = state != NULL ? (guint) state->st_mode & 0170000 : 0;

  if (state != NULL)
    guestfs_free_statns (state);
  return type;
}

static gboolean
check_way (const Act *act, GError **error)
{
  for (const char *slash = strchr (act->path + 1, '/'); slash; slash = strchr (slash + 1, '/')) {
    g_autofree char *folder = g_strndup (act->path, (gsize) (slash - act->path));

    if (type_at (act->session, folder) == 0040000)
      continue;
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "something is in the way at %s", folder);
    return FALSE;
  }
  return TRUE;
}

static gboolean
own (const Act *act, const char *path, guint64 mode, guint64 uid, guint64 gid, GError **error)
{
  return (guestfs_chown (act->session, (int) uid, (int) gid, path) == 0 &&
          guestfs_chmod (act->session, (int) mode, path) == 0) ||
         fail (act, "cannot set the mode of", error);
}

static gboolean
numbers (char **words, guint64 *ret_mode, guint64 *ret_uid, guint64 *ret_gid)
{
  return g_ascii_string_to_unsigned (words[0], 8, 0, 07777, ret_mode, NULL) &&
         g_ascii_string_to_unsigned (words[1], 10, 0, G_MAXINT, ret_uid, NULL) &&
         g_ascii_string_to_unsigned (words[2], 10, 0, G_MAXINT, ret_gid, NULL);
}

static gboolean
do_remove (const Act *act, GError **error)
{
  guint type = type_at (act->session, act->path);

  if (type == 0)
    return TRUE;
  if ((type == 0040000 ? guestfs_rm_rf (act->session, act->path)
                       : guestfs_rm (act->session, act->path)) == 0)
    return TRUE;
  return fail (act, "cannot remove", error);
}

static gboolean
do_folder (const Act *act, GError **error)
{
  guint64 mode = 0, uid = 0, gid = 0;
  guint type = type_at (act->session, act->path);

  if (!numbers (act->words, &mode, &uid, &gid))
    return fail (act, "cannot understand the act for", error);
  if ((type != 0 && type != 0040000) || (type == 0 && guestfs_mkdir (act->session, act->path) != 0))
    return fail (act, "cannot make the folder", error);
  return own (act, act->path, mode, uid, gid, error);
}

static gboolean
do_file (const Act *act, GError **error)
{
  g_autofree char *draft = g_strconcat (act->path, DRAFT, NULL);
  guint64 mode = 0, uid = 0, gid = 0;
  gsize length = 0;
  g_autofree guchar *data = g_base64_decode (act->words[3], &length);
  guint type = type_at (act->session, act->path);

  if (!numbers (act->words, &mode, &uid, &gid) || (type != 0 && type != 0100000) ||
      type_at (act->session, draft) != 0)
    return fail (act, "something is in the way at", error);
  if (guestfs_write (act->session, draft, (const char *) data, length) != 0)
    return fail (act, "cannot write", error);
  if (!own (act, draft, mode, uid, gid, error))
    return FALSE;
  return guestfs_mv (act->session, draft, act->path) == 0 || fail (act, "cannot write", error);
}

static gboolean
do_link (const Act *act, GError **error)
{
  g_autofree char *target = sp_audit_unescape (act->words[0]);

  if (target == NULL || type_at (act->session, act->path) != 0 ||
      guestfs_ln_s (act->session, target, act->path) != 0)
    return fail (act, "cannot make the link", error);
  return TRUE;
}

static const struct {
  const char *word;
  guint n_words; /* with the word itself and the path */
  gboolean (*run) (const Act *act, GError **error);
} acts[] = {
  { "remove", 2, do_remove },
  { "folder", 5, do_folder },
  { "file", 6, do_file },
  { "link", 3, do_link },
};

static gboolean
run_line (SpAuditSession *session, const char *line, GError **error)
{
  g_auto (GStrv) words = g_strsplit (line, " ", MAX_WORDS);
  guint n = g_strv_length (words);

  for (gsize i = 0; i < G_N_ELEMENTS (acts); i++) {
    g_autofree char *path = n == acts[i].n_words && g_str_equal (words[0], acts[i].word)
                                ? sp_audit_unescape (words[1])
                                : NULL;
    const Act act = { session, path, words + 2 };

    if (path != NULL)
      return sp_audit_path_is_plain (path) && check_way (&act, error) && acts[i].run (&act, error);
  }
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL,
                       "an act of the plan can't be understood");
  return FALSE;
}

/* The first line; the list says what is a file system. */
static gboolean
mount_root (SpAuditSession *session, const SpAuditTree *tree, const char *line, GError **error)
{
  guint64 number = 0;
  const SpAuditPart *part = NULL;

  if (g_str_has_prefix (line, "root ") &&
      g_ascii_string_to_unsigned (line + strlen ("root "), 10, 1, 128, &number, NULL))
    part = sp_audit_tree_part (tree, (guint) number);
  if (part != NULL && g_str_equal (part->fs, "ext"))
    return sp_audit_session_mount (session, tree, part->number, error);
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                       "there is no system where the base image has it");
  return FALSE;
}

gboolean
sp_audit_carry_out (SpAuditSession *session, const SpAuditTree *tree, const char *plan,
                    GError **error)
{
  g_auto (GStrv) lines = g_strsplit (plan, "\n", -1);
  guint n = g_strv_length (lines);
  g_autofree char *end = n >= 3 ? g_strdup_printf ("end %u", n - 3) : NULL;

  /* Half a plan is none. */
  if (end == NULL || *lines[n - 1] != 0 || !g_str_equal (lines[n - 2], end)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "the plan is not whole");
    return FALSE;
  }
  if (!mount_root (session, tree, lines[0], error))
    return FALSE;
  for (guint i = 1; i + 2 < n; i++)
    if (!run_line (session, lines[i], error))
      return FALSE;
  return guestfs_sync (session) == 0 || sp_audit_session_fail (session, "cannot write", error);
}
