/* image-use.c - image-use.h
 *
 * What must stay true: a folder that can't be read, or whose record is damaged, may use any image.
 */
#include "host/vm/image-use.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/appliance/image-set.h"
#include "host/takeover/journal.h"
#include "host/vm/vault-record.h"

static void
add (GHashTable *uses, const char *image, const char *vault, const char *how)
{
  GPtrArray *words = image ? g_hash_table_lookup (uses, image) : NULL;

  if (image == NULL)
    return;
  if (words == NULL) {
    words = g_ptr_array_new_with_free_func (g_free);
    g_hash_table_insert (uses, g_strdup (image), words);
  }
  g_ptr_array_add (words, g_strconcat (vault, how, NULL));
}

/* FALSE: nobody knows what is in it. */
static gboolean
add_folder (GHashTable *uses, int folder, const char *name)
{
  g_autoptr (GError) error = NULL, no_journal = NULL;
  g_autoptr (SpVaultRecord) record = sp_vault_record_read (folder, &error);
  SpTakeoverJournal journal = { 0 };
  gboolean known;

  if (record != NULL) {
    add (uses, record->image, name, record->on_trial ? " (on trial)" : "");
    add (uses, record->previous, name, " (before)");
    add (uses, record->older, name, " (before)");
  }
  if (sp_takeover_journal_read (&journal, folder, &no_journal))
    add (uses, journal.image, name, " (takeover)");
  known = (record != NULL || g_error_matches (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND)) &&
          (no_journal == NULL || g_error_matches (no_journal, SP_PROBLEM, SP_PROBLEM_NOT_FOUND));
  sp_takeover_journal_clear (&journal);
  return known;
}

static gboolean
add_vault (GHashTable *uses, const char *state, const char *name)
{
  g_autofree char *path = g_build_filename (state, name, NULL);
  int folder = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  gboolean known;

  /* A file beside the folders is no vault. */
  if (folder < 0)
    return errno == ENOTDIR || errno == ENOENT;
  known = add_folder (uses, folder, name);
  (void) close (folder);
  return known;
}

GHashTable *
sp_image_uses (const char *state, char **ret_hidden)
{
  GHashTable *uses =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_ptr_array_unref);
  g_autoptr (GDir) dir = g_dir_open (state, 0, NULL);
  const char *name;

  *ret_hidden = NULL;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    if (g_str_equal (name, SP_IMAGES) || add_vault (uses, state, name))
      continue;
    g_free (*ret_hidden);
    *ret_hidden = g_build_filename (state, name, NULL);
  }
  return uses;
}
