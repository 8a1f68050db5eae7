/* journal.c - takeover-journal.h */
#include "host/takeover/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/problem.h"

#define NAME "takeover.json"
#define TEMPORARY "." NAME "." /* as sp_file_write_private() begins it */
#define FORMAT 1
#define MAX_FILE 4096u
#define MAX_DEPTH 4u

void
sp_takeover_journal_clear (SpTakeoverJournal *journal)
{
  g_clear_pointer (&journal->source, g_free);
  g_clear_pointer (&journal->image, g_free);
}

/* On the folder itself, so that no file of the lock is left behind. */
int
sp_takeover_lock (int folder, GError **error)
{
  int fd = openat (folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd >= 0 && flock (fd, LOCK_EX | LOCK_NB) == 0)
    return fd;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
               "another process is making this vault: wait for it, or end it");
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

gboolean
sp_takeover_journal_exists (int folder)
{
  struct stat st;

  return fstatat (folder, NAME, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

gboolean
sp_takeover_journal_write (const SpTakeoverJournal *journal, int folder, GError **error)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  g_autofree char *text = NULL;

  json_node_take_object (node, object);
  json_object_set_int_member (object, "format", FORMAT);
  if (journal->image != NULL)
    json_object_set_string_member (object, "image", journal->image);
  else
    json_object_set_null_member (object, "image");
  json_object_set_int_member (object, "port", journal->port);
  json_object_set_string_member (object, "source", journal->source);
  json_object_set_int_member (object, "step", journal->step);
  text = sp_json_text (node);
  if (sp_file_write_private (folder, NAME, SP_FILE_REPLACE, text, strlen (text), error))
    return TRUE;
  g_prefix_error (error, "cannot write the journal: ");
  return FALSE;
}

static gboolean
parse (SpTakeoverJournal *journal, const char *text, gsize length, GError **error)
{
  static const char *const allowed[] = { "format", "image", "port", "source", "step", NULL };
  g_autoptr (JsonObject) object = sp_json_parse_object (text, length, allowed, error);
  const char *source = NULL, *image = NULL;
  gint64 format = 0, port = 0, step = 0;

  if (object == NULL || !sp_json_get_int (object, "format", &format, error) ||
      !sp_json_get_int (object, "port", &port, error) ||
      !sp_json_get_int (object, "step", &step, error) ||
      !sp_json_get_string (object, "source", &source, error) ||
      (!json_object_get_null_member (object, "image") &&
       !sp_json_get_string (object, "image", &image, error)))
    return FALSE;
  if (format != FORMAT || source == NULL || step < 1 || step > 13 || port < 0 || port > 65535) {
    sp_problem_set_invalid (error, "format", "it is of another release, or damaged");
    return FALSE;
  }
  journal->source = g_strdup (source);
  journal->image = g_strdup (image);
  journal->port = (guint16) port;
  journal->step = (guint) step;
  return TRUE;
}

gboolean
sp_takeover_journal_read (SpTakeoverJournal *ret_journal, int folder, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (SpSecret) text = sp_file_read_private (folder, NAME, MAX_FILE, &local);

  if (g_error_matches (local, SP_PROBLEM, SP_PROBLEM_NOT_FOUND))
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND,
                         "no takeover of this vault was interrupted");
  else if (text != NULL && parse (ret_journal, (const char *) sp_secret_data (text),
                                  sp_secret_length (text), &local))
    return TRUE;
  else
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, NAME ": %s", local->message);
  return FALSE;
}

void
sp_takeover_journal_remove (int folder)
{
  (void) unlinkat (folder, NAME, 0);
  (void) fsync (folder);
}

/* ---- the folder ---------------------------------------------------------------------------------------- */

static gboolean
is_other (const char *name)
{
  return strcmp (name, ".") != 0 && strcmp (name, "..") != 0;
}

static DIR *
open_dir (int folder, const char *name)
{
  const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                                .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS };
  int fd = (int) syscall (SYS_openat2, folder, name, &how, sizeof how);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;

  if (dir == NULL && fd >= 0)
    (void) close (fd);
  return dir;
}

/* What a run that died before its first journal had its name has left. */
static gboolean
sweep (int folder, const char *name)
{
  return g_str_has_prefix (name, TEMPORARY) && unlinkat (folder, name, 0) == 0;
}

gboolean
sp_takeover_folder_is_empty (int folder)
{
  DIR *dir = open_dir (folder, ".");
  const struct dirent *entry;
  gboolean empty = dir != NULL;

  while (empty && (entry = readdir (dir)) != NULL)
    empty = !is_other (entry->d_name) || sweep (folder, entry->d_name);
  if (dir != NULL)
    (void) closedir (dir);
  return empty;
}

static gboolean remove_in (DIR *dir, guint depth, GError **error);

static gboolean
remove_folder (int parent, const char *name, guint depth, GError **error)
{
  DIR *dir = depth < MAX_DEPTH ? open_dir (parent, name) : NULL;
  gboolean empty;

  if (dir == NULL)
    return FALSE;
  empty = remove_in (dir, depth, error);
  (void) closedir (dir);
  return empty && unlinkat (parent, name, AT_REMOVEDIR) == 0;
}

static gboolean
remove_entry (int parent, const char *name, guint depth, GError **error)
{
  if (unlinkat (parent, name, 0) == 0 || errno == ENOENT)
    return TRUE;
  /* A link or a file would be gone by now. */
  if (errno == EISDIR && remove_folder (parent, name, depth, error))
    return TRUE;
  if (error != NULL && *error == NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot remove %s: %s", name,
                 g_strerror (errno));
  return FALSE;
}

static gboolean
remove_in (DIR *dir, guint depth, GError **error)
{
  const struct dirent *entry;
  gboolean ok = TRUE;

  while ((entry = readdir (dir)) != NULL)
    if (is_other (entry->d_name) && (depth > 0 || strcmp (entry->d_name, NAME) != 0))
      ok = remove_entry (dirfd (dir), entry->d_name, depth + 1, error) && ok;
  return ok;
}

gboolean
sp_takeover_folder_clear (int folder, GError **error)
{
  DIR *dir = open_dir (folder, ".");
  gboolean ok = dir != NULL && remove_in (dir, 0, error);

  if (dir != NULL)
    (void) closedir (dir);
  return ok;
}

gboolean
sp_takeover_folder_remove (int folder, const char *path, GError **error)
{
  if (!sp_takeover_folder_clear (folder, error)) {
    g_prefix_error (error, "%s: ", path);
    return FALSE;
  }
  sp_takeover_journal_remove (folder);
  if (rmdir (path) == 0 || errno == ENOENT)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot remove %s: %s", path,
               g_strerror (errno));
  return FALSE;
}
