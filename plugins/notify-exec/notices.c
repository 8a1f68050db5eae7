/* notices.c - notices.h
 *
 * What must stay true: a program is started only for a notice that is remembered; what it says decides
 * nothing here; an answer is dropped only when the core has said what became of it.
 */
#include "notices.h"

#include <string.h>

#define PREFIX "notice/"
#define DONE "done"
#define MAX_REMEMBERED 8000u
#define MAX_RUNNING 64u
#define TRY_AGAIN 75 /* EX_TEMPFAIL of sysexits.h */
#define FIRST_RETRY_MS 1000u
#define LAST_RETRY_MS 60000u

typedef struct {
  NxState *state;
  char *id;
  char *message;      /* what the program is told; NULL: nothing is left to be run */
  NxProgram *program; /* NULL: does not run */
  NxAnswer answer;    /* not taken by the core yet, where .choice is set */
  GSource *timer;     /* until the program, or the answer, is tried again */
  guint retry_ms;
  gboolean brief; /* nobody can answer it */
  GError **why;   /* post() waits: why it failed goes there */
  gboolean *over; /* post() waits: set at the program's end */
} Notice;

/* ---- memory ----------------------------------------------------------------------------------------- */

static void
timer_clear (Notice *notice)
{
  if (notice->timer == NULL)
    return;
  g_source_destroy (notice->timer);
  g_clear_pointer (&notice->timer, g_source_unref);
}

static void
notice_free (gpointer data)
{
  Notice *notice = data;

  timer_clear (notice);
  nx_program_free (notice->program);
  nx_answer_clear (&notice->answer);
  g_free (notice->message);
  g_free (notice->id);
  g_free (notice);
}

static Notice *
notice_new (NxState *state, const char *id, const char *message)
{
  Notice *notice = g_new0 (Notice, 1);

  notice->state = state;
  notice->id = g_strdup (id);
  notice->message = g_strdup (message);
  notice->retry_ms = FIRST_RETRY_MS;
  g_hash_table_insert (state->notices, notice->id, notice);
  return notice;
}

/* @value NULL: forget. */
static gboolean
remember (NxState *state, const char *id, const char *value, GError **error)
{
  g_autofree char *key = g_strconcat (PREFIX, id, NULL);

  return state->host->api->remember (state->host, key, value, error);
}

static void
alarm_of (NxState *state, const char *format, const char *what)
{
  g_autofree char *text = g_strdup_printf ("%s: %s", format, what);

  state->host->api->alarm (state->host, text);
}

/* Nothing is left to be run.  Where that can't be kept, the worst is that it runs once more.  One that
 * is for information only is never settled: it is freed here. */
static void
finish (Notice *notice)
{
  timer_clear (notice);
  nx_answer_clear (&notice->answer);
  g_clear_pointer (&notice->message, g_free);
  (void) remember (notice->state, notice->id, notice->brief ? NULL : DONE, NULL);
  if (notice->brief)
    (void) g_hash_table_remove (notice->state->notices, notice->id);
}

static void
later (Notice *notice, GSourceFunc func)
{
  timer_clear (notice);
  notice->timer = g_timeout_source_new (notice->retry_ms);
  g_source_set_callback (notice->timer, func, notice, NULL);
  g_source_attach (notice->timer, g_main_context_get_thread_default ());
  notice->retry_ms = MIN (notice->retry_ms * 2, LAST_RETRY_MS);
}

/* ---- waiting ---------------------------------------------------------------------------------------- */

/* The core calls again every second; a program that asks for time gets more. */
typedef struct {
  gint64 until; /* monotonic */
  guint next_ms;
} Wait;

static char *
wait_key (const char *call, const char *id)
{
  return g_strdup_printf ("%s/%s", call, id);
}

static gboolean
may_run (NxState *state, const char *key, GError **error)
{
  const Wait *wait = g_hash_table_lookup (state->waits, key);

  if (wait == NULL || g_get_monotonic_time () >= wait->until)
    return TRUE;
  g_set_error_literal (error, SP_ERROR, SP_ERROR_UNAVAILABLE,
                       "the program has asked to be started again later");
  return FALSE;
}

static void
put_off (NxState *state, const char *key)
{
  Wait *wait = g_hash_table_lookup (state->waits, key);

  if (wait == NULL) {
    wait = g_new0 (Wait, 1);
    wait->next_ms = FIRST_RETRY_MS;
    g_hash_table_insert (state->waits, g_strdup (key), wait);
  }
  wait->until = g_get_monotonic_time () + wait->next_ms * G_TIME_SPAN_MILLISECOND;
  wait->next_ms = MIN (wait->next_ms * 2, LAST_RETRY_MS);
}

/* ---- answers ---------------------------------------------------------------------------------------- */

static gboolean
give_answer (gpointer data)
{
  Notice *notice = data;
  SpHost *host = notice->state->host;
  const SpAnswer answer = { .size = sizeof answer,
                            .notice_id = notice->id,
                            .choice_id = notice->answer.choice,
                            .person = notice->answer.person,
                            .evidence = "stdout of the program" };
  SpAnswerResult result = sp_answer (host, &answer, NULL);

  timer_clear (notice);
  if (result == SP_ANSWER_TRY_AGAIN) {
    later (notice, give_answer);
    return G_SOURCE_REMOVE;
  }
  if (result == SP_ANSWER_NOT_ALLOWED)
    alarm_of (notice->state, "the program answered for a person who may not decide",
              notice->answer.person);
  if (result == SP_ANSWER_UNKNOWN)
    alarm_of (notice->state, "the program answered with a choice that was not offered",
              notice->answer.choice);
  finish (notice);
  return G_SOURCE_REMOVE;
}

/* ---- the end of a program --------------------------------------------------------------------------- */

/* FALSE: it has failed.  What it answered is kept in @notice. */
static gboolean
judge (Notice *notice, const NxEnd *end, GError **error)
{
  if (end->status == TRY_AGAIN) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "the program asks to try again later: %s",
                 end->last);
    return FALSE;
  }
  if (end->status != 0) {
    g_set_error (error, SP_ERROR, SP_ERROR_REFUSED, "the program %s%s%s",
                 end->status < 0 ? "was ended by a signal" : "failed",
                 *end->last != '\0' ? ": " : "", end->last);
    return FALSE;
  }
  for (gsize i = 0; i < end->out_length; i++)
    if (!g_ascii_isspace (end->out[i])) {
      gboolean ok = end->out_length <= NX_MAX_OUT &&
                    nx_answer_read (notice->state->host, end->out, end->out_length, FALSE,
                                    &notice->answer, error);

      if (!ok && *error == NULL)
        g_set_error_literal (error, SP_ERROR, SP_ERROR_REFUSED, "it is too long");
      if (!ok)
        g_prefix_error (error, "what the program wrote to its stdout is no answer: ");
      return ok;
    }
  return TRUE;
}

static gboolean run_again (gpointer data);

static void
take_end (Notice *notice, const GError *why)
{
  SpHost *host = notice->state->host;

  if (g_error_matches (why, SP_ERROR, SP_ERROR_UNAVAILABLE)) {
    later (notice, run_again);
    return;
  }
  if (why != NULL)
    host->api->alarm (host, why->message);
  if (notice->answer.choice != NULL)
    (void) give_answer (notice);
  else
    finish (notice);
}

static void
on_program_ended (NxProgram *program, const NxEnd *end, gpointer data)
{
  Notice *notice = data;
  g_autoptr (GError) why = NULL;

  (void) judge (notice, end, &why);
  g_clear_pointer (&notice->program, nx_program_free);
  if (notice->over == NULL) {
    take_end (notice, why);
    return;
  }
  *notice->over = TRUE;
  if (why != NULL)
    g_propagate_error (notice->why, g_steal_pointer (&why));
}

/* ---- running ---------------------------------------------------------------------------------------- */

static guint
count_running (NxState *state)
{
  GHashTableIter iter;
  gpointer notice;
  guint n = 0;

  g_hash_table_iter_init (&iter, state->notices);
  while (g_hash_table_iter_next (&iter, NULL, &notice))
    n += ((Notice *) notice)->program != NULL;
  return n;
}

static gboolean
run (Notice *notice, GError **error)
{
  NxState *state = notice->state;

  if (count_running (state) >= MAX_RUNNING) {
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "%u programs run already", MAX_RUNNING);
    return FALSE;
  }
  notice->program =
      nx_program_start (&state->command, notice->message, on_program_ended, notice, error);
  return notice->program != NULL;
}

static gboolean
run_again (gpointer data)
{
  Notice *notice = data;
  g_autoptr (GError) error = NULL;

  timer_clear (notice);
  if (!run (notice, &error))
    later (notice, run_again);
  return G_SOURCE_REMOVE;
}

static gboolean
on_time_over (gpointer over)
{
  *(gboolean *) over = TRUE;
  return G_SOURCE_REMOVE;
}

/* In whatever thread cancels.  A GCancellableSource would do the same, but is never freed where the
 * cancelling and its end meet. */
static void
on_cancelled (GCancellable *cancellable, gpointer context)
{
  g_main_context_wakeup (context);
}

/* Wait for @over at most @ms; a cancelled @cancellable ends it, too. */
static void
wait_for (const gboolean *over, gint64 ms, GCancellable *cancellable)
{
  GMainContext *context = g_main_context_get_thread_default ();
  g_autoptr (GSource) time = g_timeout_source_new ((guint) ms);
  gulong wake = 0;
  gboolean enough = FALSE;

  g_source_set_callback (time, on_time_over, &enough, NULL);
  g_source_attach (time, context);
  if (cancellable != NULL)
    wake = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), context, NULL);
  while (!*over && !enough && !g_cancellable_is_cancelled (cancellable))
    g_main_context_iteration (context, TRUE);
  g_source_destroy (time);
  g_cancellable_disconnect (cancellable, wake);
}

/* ---- post ------------------------------------------------------------------------------------------- */

/* A program that ends at once has its end told by post(); one that a person sits before goes on.
 * @ret_again: it asks for time. */
static gboolean
run_and_look (Notice *notice, GCancellable *cancellable, gboolean *ret_again, GError **error)
{
  gboolean over = FALSE;
  g_autoptr (GError) why = NULL;

  *ret_again = FALSE;
  if (!run (notice, error))
    return FALSE;
  notice->why = &why;
  notice->over = &over;
  wait_for (&over, notice->state->wait_ms, cancellable);
  notice->why = NULL;
  notice->over = NULL;
  if (why != NULL) {
    *ret_again = g_error_matches (why, SP_ERROR, SP_ERROR_UNAVAILABLE);
    g_propagate_error (error, g_steal_pointer (&why));
    return FALSE;
  }
  if (over && notice->answer.choice == NULL) {
    finish (notice);
  } else if (over) {
    /* After post() has returned, as from there on there is something to answer. */
    notice->timer = g_idle_source_new ();
    g_source_set_callback (notice->timer, give_answer, notice, NULL);
    g_source_attach (notice->timer, g_main_context_get_thread_default ());
  }
  return TRUE;
}

gboolean
nx_post (NxState *state, const SpNotice *posted, GCancellable *cancellable, GError **error)
{
  g_autofree char *message = NULL;
  g_autofree char *key = wait_key ("post", posted->id);
  gboolean again;
  Notice *notice;

  if (g_hash_table_contains (state->notices, posted->id))
    return TRUE;
  if (!may_run (state, key, error))
    return FALSE;
  message = nx_message (state->host, state->socket, posted, NULL);
  if (strlen (message) > MAX_REMEMBERED) {
    g_set_error (error, SP_ERROR, SP_ERROR_REFUSED, "a notice of more than %u bytes",
                 MAX_REMEMBERED);
    return FALSE;
  }
  if (!remember (state, posted->id, message, error))
    return FALSE;
  notice = notice_new (state, posted->id, message);
  notice->brief = posted->n_choices == 0;
  if (run_and_look (notice, cancellable, &again, error)) {
    (void) g_hash_table_remove (state->waits, key);
    return TRUE;
  }
  if (again)
    put_off (state, key);
  else
    (void) g_hash_table_remove (state->waits, key);
  (void) g_hash_table_remove (state->notices, posted->id);
  (void) remember (state, posted->id, NULL, NULL);
  return FALSE;
}

/* ---- settle ----------------------------------------------------------------------------------------- */

typedef struct {
  gboolean over;
  int status;
  char *last;
} Settled;

static void
on_settle_ended (NxProgram *program, const NxEnd *end, gpointer data)
{
  Settled *settled = data;

  settled->over = TRUE;
  settled->status = end->status;
  settled->last = g_strdup (end->last);
}

/* What it writes to its stdout counts nothing now. */
static gboolean
tell_settled (NxState *state, const char *message, GCancellable *cancellable, GError **error)
{
  Settled settled = { .over = FALSE };
  g_autoptr (NxProgram) program =
      nx_program_start (&state->command, message, on_settle_ended, &settled, error);
  g_autofree char *last = NULL;

  if (program == NULL)
    return FALSE;
  wait_for (&settled.over, G_MAXINT, cancellable);
  last = settled.last;
  if (settled.over && settled.status == 0)
    return TRUE;
  g_set_error (
      error, SP_ERROR,
      !settled.over || settled.status == TRY_AGAIN ? SP_ERROR_UNAVAILABLE : SP_ERROR_REFUSED,
      "the program could not be told how it ended: %s", settled.over ? last : "it does not end");
  return FALSE;
}

gboolean
nx_settle (NxState *state, const SpNotice *notice, const SpOutcome *outcome,
           GCancellable *cancellable, GError **error)
{
  g_autofree char *message = nx_message (state->host, state->socket, notice, outcome);
  g_autofree char *shown = wait_key ("post", notice->id);
  g_autofree char *key = wait_key ("settle", notice->id);
  g_autoptr (GError) why = NULL;
  gboolean again;

  /* The dialog goes before a person answers what is over. */
  (void) g_hash_table_remove (state->notices, notice->id);
  (void) g_hash_table_remove (state->waits, shown);
  if (!may_run (state, key, error))
    return FALSE;
  again = !tell_settled (state, message, cancellable, &why) &&
          !g_error_matches (why, SP_ERROR, SP_ERROR_REFUSED);
  if (again)
    put_off (state, key);
  else
    (void) g_hash_table_remove (state->waits, key);
  if (!again && !remember (state, notice->id, NULL, error))
    return FALSE;
  if (why == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}

/* ---- life ------------------------------------------------------------------------------------------- */

static gboolean
resume (const char *key, const char *value, gpointer data)
{
  NxState *state = data;
  gboolean done = strcmp (value, DONE) == 0;
  Notice *notice = notice_new (state, key + strlen (PREFIX), done ? NULL : value);

  if (!done)
    (void) run_again (notice);
  return TRUE;
}

void
nx_notices_resume (NxState *state)
{
  state->host->api->recall_each (state->host, PREFIX, resume, state);
}

void
nx_notices_init (NxState *state)
{
  state->notices = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, notice_free);
  state->waits = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

void
nx_notices_free (NxState *state)
{
  g_hash_table_unref (state->notices);
  g_hash_table_unref (state->waits);
}

void
nx_notices_clear (NxState *state)
{
  g_hash_table_remove_all (state->notices);
}
