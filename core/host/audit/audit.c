/* audit.c - audit.h: the order of things */
#include "host/audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"
#include "base/secret.h"
#include "host/audit/recipe.h"
#include "host/audit/room.h"
#include "sp-build.h"

#define LISTS "audit"
/* How a disk is looked at; another number, and what is kept of a base is made anew. */
#define LOOK "2"
#define MAX_ACCEPTED 2000u
#define CHUNK (1u << 20)

struct _SpAudit {
  SpAuditRoom *room;
  SpAuditTree *tree, *base;
  GHashTable *recipe;
};

void
sp_audit_free (SpAudit *audit)
{
  if (audit == NULL)
    return;
  sp_audit_room_free (audit->room);
  sp_audit_tree_free (audit->tree);
  sp_audit_tree_free (audit->base);
  g_clear_pointer (&audit->recipe, g_hash_table_unref);
  g_free (audit);
}

gboolean
sp_audit_check (GError **error)
{
  return sp_audit_room_check (error);
}

void
sp_audit_sweep (const char *state)
{
  sp_audit_room_sweep (state);
}

static void
tell (const SpAuditOptions *options, const char *what)
{
  if (options->progress != NULL)
    options->progress (what, options->data);
}

/* ---- the base image ------------------------------------------------------------------------------------------ */

static char *
hash_file (int fd, GError **error)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guchar *data = g_malloc (CHUNK);
  off_t at = 0;
  gssize n;

  while ((n = pread (fd, data, CHUNK, at)) > 0) {
    g_checksum_update (sum, data, n);
    at += n;
  }
  if (n == 0)
    return g_strdup (g_checksum_get_string (sum));
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot read the base image: %s",
               g_strerror (errno));
  return NULL;
}

/* A descriptor of its own: the file may be nobody else's to read. */
static int
open_base (const SpAuditOptions *options, GError **error)
{
  int fd = open (options->base, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

  if (fd < 0)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "cannot open the base image %s: %s",
                 options->base, g_strerror (errno));
  return fd;
}

static SpAuditTree *
look (int fd, gboolean of_stranger, const SpAuditOptions *options, SpAuditRoom **ret_room,
      GError **error)
{
  g_autoptr (SpAuditRoom) room = sp_audit_room_new (options->state, error);
  SpAuditTree *tree = NULL;

  if (room == NULL || !sp_audit_room_take_disk (room, fd, of_stranger, error))
    return NULL;
  tree = sp_audit_room_look (room, options->kvm, error);
  *ret_room = tree ? g_steal_pointer (&room) : NULL;
  return tree;
}

static SpAuditTree *
make_list (int base, const SpAuditOptions *options, int folder, const char *name, GError **error)
{
  g_autoptr (SpAuditRoom) room = NULL;
  g_autoptr (SpAuditTree) tree = NULL;
  g_autofree char *text = NULL;

  tell (options, "looking at the base image, which is done once");
  tree = look (base, FALSE, options, &room, error);
  if (tree == NULL || !sp_audit_room_end (room, NULL, error)) {
    g_prefix_error_literal (error, "the base image: ");
    return NULL;
  }
  text = sp_audit_tree_text (tree);
  if (!sp_file_write_private (folder, name, SP_FILE_REPLACE, text, strlen (text), error))
    return NULL;
  return g_steal_pointer (&tree);
}

/* The list is as good as the folder it lies in: the host's own, and private. */
static SpAuditTree *
read_list (int folder, const char *name, GError **error)
{
  g_autoptr (SpSecret) text = sp_file_read_private (folder, name, SP_AUDIT_MAX_TREE, error);

  return text ? sp_audit_tree_parse ((const char *) sp_secret_data (text), sp_secret_length (text),
                                     error)
              : NULL;
}

static int
open_lists (const SpAuditOptions *options, GError **error)
{
  g_autofree char *path = g_build_filename (options->state, LISTS, NULL);

  if (g_mkdir_with_parents (options->state, 0755) == 0)
    return sp_file_open_folder (path, error);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make %s: %s", options->state,
               g_strerror (errno));
  return -1;
}

static SpAuditTree *
list_of (int base, const SpAuditOptions *options, GError **error)
{
  g_autofree char *sha256 =
      options->base_sha256 ? g_strdup (options->base_sha256) : hash_file (base, error);
  g_autofree char *name =
      sha256 ? g_strdup_printf ("%s-" SP_VERSION "-" LOOK ".tree", sha256) : NULL;
  int folder = name ? open_lists (options, error) : -1;
  g_autoptr (GError) local = NULL;
  SpAuditTree *tree;

  if (folder < 0)
    return NULL;
  tree = read_list (folder, name, &local);
  if (tree == NULL)
    tree = make_list (base, options, folder, name, error);
  (void) close (folder);
  return tree;
}

static SpAuditTree *
base_list (const SpAuditOptions *options, GError **error)
{
  int base = open_base (options, error);
  SpAuditTree *tree = base >= 0 ? list_of (base, options, error) : NULL;

  if (base >= 0)
    (void) close (base);
  return tree;
}

/* ---- the disk --------------------------------------------------------------------------------------------------- */

static GPtrArray *
judge (SpAudit *audit, const SpAuditOptions *options, GError **error)
{
  guint root = sp_audit_tree_root (audit->base);

  audit->recipe = options->bundle ? sp_audit_recipe_of_tar (options->bundle, root, error)
                                  : sp_audit_recipe_none ();
  return audit->recipe
             ? sp_audit_judge (audit->tree, audit->base, audit->recipe, options->accept, error)
             : NULL;
}

SpAudit *
sp_audit_begin (int fd, const SpAuditOptions *options, GPtrArray **ret_findings, GError **error)
{
  g_autoptr (SpAudit) audit = g_new0 (SpAudit, 1);

  audit->base = base_list (options, error);
  if (audit->base == NULL)
    return NULL;
  tell (options, "looking at the disk");
  audit->tree = look (fd, TRUE, options, &audit->room, error);
  *ret_findings = audit->tree ? judge (audit, options, error) : NULL;
  return *ret_findings ? g_steal_pointer (&audit) : NULL;
}

gboolean
sp_audit_rekey (SpAudit *audit, const SpAuditKeys *keys, int folder, const char *name,
                GError **error)
{
  char *plan = sp_audit_plan (audit->tree, audit->base, audit->recipe, keys, error);
  gboolean ok = plan != NULL && sp_audit_room_end (audit->room, plan, error) &&
                sp_audit_room_give_disk (audit->room, folder, name, error);

  if (plan != NULL)
    sp_wipe (plan, strlen (plan));
  g_free (plan);
  return ok;
}

/* ---- what is accepted --------------------------------------------------------------------------------------------- */

char **
sp_audit_parse_accept (const char *text, GError **error)
{
  g_auto (GStrv) words = g_strsplit (text, ",", -1);

  for (char **word = words; *word != NULL; word++) {
    g_strstrip (*word);
    if (sp_audit_is_sha256 (*word) && word - words < MAX_ACCEPTED)
      continue;
    sp_problem_set_invalid (error, "accept", "'%.70s' is no digest of a finding (64 hex digits)",
                            *word);
    return NULL;
  }
  return g_steal_pointer (&words);
}
