/* anchor.c - anchor.h
 *
 * What must stay true: an older head never replaces a newer one, whichever thread is the slower; the
 * lock is held while the file is written, and the number is compared under it.
 */
#include "host/resident/anchor.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/problem.h"

#define NAME "anchor"
#define INTERVAL_MS 200u
#define MAX_HEAD 128u

/* Outlives the anchor where a write is on its way. */
typedef struct {
  gatomicrefcount refs;
  GMutex lock;
  int folder;
  guint64 written;
} Writer;

struct _SpAnchor {
  Writer *writer;
  guint64 seq;
  char *head; /* NULL: none yet */
  GSource *timer;
  GMainContext *context;
};

typedef struct {
  Writer *writer;
  guint64 seq;
  char *head;
} Job;

static Writer *
writer_ref (Writer *writer)
{
  g_atomic_ref_count_inc (&writer->refs);
  return writer;
}

static void
writer_unref (Writer *writer)
{
  if (!g_atomic_ref_count_dec (&writer->refs))
    return;
  (void) close (writer->folder);
  g_mutex_clear (&writer->lock);
  g_free (writer);
}

static void
job_free (gpointer data)
{
  Job *job = data;

  writer_unref (job->writer);
  g_free (job->head);
  g_free (job);
}

static gboolean
is_head (const char *head)
{
  gsize length = strlen (head);

  return length > 0 && length <= MAX_HEAD && strspn (head, "0123456789abcdef") == length;
}

static gboolean
write_head (Writer *writer, guint64 seq, const char *head, GError **error)
{
  g_autofree char *text =
      g_strdup_printf ("{\"head\":\"%s\",\"seq\":%" G_GUINT64_FORMAT "}\n", head, seq);
  gboolean done = TRUE;

  g_mutex_lock (&writer->lock);
  if (seq > writer->written) {
    done =
        sp_file_write_private (writer->folder, NAME, SP_FILE_REPLACE, text, strlen (text), error);
    if (done)
      writer->written = seq;
  }
  g_mutex_unlock (&writer->lock);
  return done;
}

/* ---- reading -------------------------------------------------------------------------------------- */

static gboolean
parse (SpAnchor *anchor, SpSecret *content)
{
  g_autoptr (JsonNode) root =
      sp_json_parse ((const char *) sp_secret_data (content), sp_secret_length (content), 0, NULL);
  const char *head = NULL;
  gint64 seq = -1;

  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root) ||
      !sp_json_get_string (json_node_get_object (root), "head", &head, NULL) ||
      !sp_json_get_int (json_node_get_object (root), "seq", &seq, NULL) || head == NULL ||
      !is_head (head) || seq < 0)
    return FALSE;
  anchor->seq = anchor->writer->written = (guint64) seq;
  anchor->head = g_strdup (head);
  return TRUE;
}

SpAnchor *
sp_anchor_open (int folder, GError **error)
{
  g_autoptr (SpAnchor) anchor = g_new0 (SpAnchor, 1);
  g_autoptr (GError) local = NULL;
  g_autoptr (SpSecret) content = sp_file_read_private (folder, NAME, 4096, &local);

  anchor->context = g_main_context_ref_thread_default ();
  anchor->writer = g_new0 (Writer, 1);
  g_atomic_ref_count_init (&anchor->writer->refs);
  g_mutex_init (&anchor->writer->lock);
  anchor->writer->folder = fcntl (folder, F_DUPFD_CLOEXEC, 0);
  if (content == NULL && !g_error_matches (local, SP_PROBLEM, SP_PROBLEM_NOT_FOUND)) {
    g_propagate_prefixed_error (error, g_steal_pointer (&local), "cannot read the audit anchor: ");
    return NULL;
  }
  if (content != NULL && !parse (anchor, content)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
                         "the audit anchor is damaged: remove the file 'anchor' only if you know "
                         "why, since it shows whether the store was set back");
    return NULL;
  }
  return g_steal_pointer (&anchor);
}

gboolean
sp_anchor_get (SpAnchor *anchor, guint64 *ret_seq, const char **ret_head)
{
  *ret_seq = anchor->seq;
  *ret_head = anchor->head;
  return anchor->head != NULL;
}

/* ---- writing --------------------------------------------------------------------------------------- */

static void
run_job (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Job *job = data;
  g_autoptr (GError) error = NULL;

  if (!write_head (job->writer, job->seq, job->head, &error))
    g_warning ("cannot keep the audit anchor: %s", error->message);
  g_task_return_boolean (task, error == NULL);
}

static gboolean
on_timer (gpointer data)
{
  SpAnchor *anchor = data;
  g_autoptr (GTask) task = g_task_new (NULL, NULL, NULL, NULL);
  Job *job = g_new0 (Job, 1);

  job->writer = writer_ref (anchor->writer);
  job->seq = anchor->seq;
  job->head = g_strdup (anchor->head);
  g_task_set_task_data (task, job, job_free);
  g_task_run_in_thread (task, run_job);
  g_clear_pointer (&anchor->timer, g_source_unref);
  return G_SOURCE_REMOVE;
}

void
sp_anchor_update (SpAnchor *anchor, guint64 seq, const char *head)
{
  if (!is_head (head)) {
    g_warning ("the vault sent an audit head that is none");
    return;
  }
  if (anchor->head != NULL && seq <= anchor->seq)
    return;
  anchor->seq = seq;
  g_free (anchor->head);
  anchor->head = g_strdup (head);
  if (anchor->timer != NULL)
    return;
  anchor->timer = g_timeout_source_new (INTERVAL_MS);
  g_source_set_callback (anchor->timer, on_timer, anchor, NULL);
  g_source_attach (anchor->timer, anchor->context);
}

gboolean
sp_anchor_flush (SpAnchor *anchor, GError **error)
{
  return anchor->head == NULL || write_head (anchor->writer, anchor->seq, anchor->head, error);
}

void
sp_anchor_free (SpAnchor *anchor)
{
  g_autoptr (GError) error = NULL;

  if (anchor == NULL)
    return;
  if (anchor->timer != NULL)
    g_source_destroy (anchor->timer);
  g_clear_pointer (&anchor->timer, g_source_unref);
  if (!sp_anchor_flush (anchor, &error))
    g_warning ("cannot keep the audit anchor: %s", error->message);
  writer_unref (anchor->writer);
  g_main_context_unref (anchor->context);
  g_free (anchor->head);
  g_free (anchor);
}
