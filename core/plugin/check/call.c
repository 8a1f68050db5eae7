/* call.c - around each call of a plugin: the clock, and what a call may return and change
 *
 * The main thread cancels a call when its deadline has passed.  One that goes on for longer than the
 * core's patience ends this process, as it ends a plugin host.
 */
#include "plugin/check/child-private.h"

#include <string.h>
#include <unistd.h>

#include "plugin/check/report.h"

typedef struct {
  SpCheck *check;
  guint call_number;
  guint deadline_ms;
} Clock;

/* The call that @clock is about, if it has not returned. */
static const char *
call_of (const Clock *clock)
{
  SpCheck *check = clock->check;

  return check->call_number == clock->call_number ? check->call : NULL;
}

static gboolean
on_overrun (gpointer data)
{
  const Clock *clock = data;
  SpCheck *check = clock->check;
  const char *call;

  g_mutex_lock (&check->lock);
  call = call_of (clock);
  g_mutex_unlock (&check->lock);
  if (call == NULL)
    return G_SOURCE_REMOVE;
  check->blamed = 0;
  if (check->uncancellable)
    sp_check_blame (check, SP_RULE_DEADLINE, "%s took longer than %u ms", call, clock->deadline_ms);
  else
    sp_check_blame (check, SP_RULE_DEADLINE,
                    "%s went on for more than %u ms after it was cancelled at its deadline", call,
                    SP_CHECK_PATIENCE_MS);
  sp_check_report (SP_CHECK_HANGS, call);
  _exit (1);
}

static void
clear_timer (SpCheck *check)
{
  GSource *timer;

  g_mutex_lock (&check->lock);
  timer = g_steal_pointer (&check->timer);
  g_mutex_unlock (&check->lock);
  if (timer == NULL)
    return;
  g_source_destroy (timer);
  g_source_unref (timer);
}

static void
set_timer (const Clock *clock, guint ms, GSourceFunc func)
{
  GSource *timer = g_timeout_source_new (ms);

  clear_timer (clock->check);
  g_source_set_priority (timer, G_PRIORITY_HIGH);
  g_source_set_callback (timer, func, g_memdup2 (clock, sizeof *clock), g_free);
  g_mutex_lock (&clock->check->lock);
  clock->check->timer = timer;
  g_mutex_unlock (&clock->check->lock);
  g_source_attach (timer, NULL);
}

static gboolean
on_deadline (gpointer data)
{
  const Clock *clock = data;
  SpCheck *check = clock->check;
  GCancellable *cancellable = NULL;

  g_mutex_lock (&check->lock);
  if (call_of (clock) != NULL && check->cancellable != NULL)
    cancellable = g_object_ref (check->cancellable);
  g_mutex_unlock (&check->lock);
  if (cancellable == NULL)
    return G_SOURCE_REMOVE;
  set_timer (clock, SP_CHECK_PATIENCE_MS, on_overrun);
  g_cancellable_cancel (cancellable);
  g_object_unref (cancellable);
  return G_SOURCE_REMOVE;
}

static void
enter (SpCheck *check, const char *call, guint deadline_ms, gboolean cancellable)
{
  Clock clock = { .check = check, .deadline_ms = deadline_ms };

  sp_check_report (SP_CHECK_CALLS, call);
  g_mutex_lock (&check->lock);
  check->call = call;
  clock.call_number = ++check->call_number;
  check->uncancellable = !cancellable;
  g_clear_object (&check->cancellable);
  if (cancellable)
    check->cancellable = g_cancellable_new ();
  g_mutex_unlock (&check->lock);
  if (cancellable && deadline_ms == 0) {
    g_cancellable_cancel (check->cancellable);
    set_timer (&clock, SP_CHECK_PATIENCE_MS, on_overrun);
  } else {
    set_timer (&clock, deadline_ms, cancellable ? on_deadline : on_overrun);
  }
}

GCancellable *
sp_check_enter (SpCheck *check, const char *call, guint deadline_ms)
{
  enter (check, call, deadline_ms, TRUE);
  return check->cancellable;
}

void
sp_check_enter_uncancellable (SpCheck *check, const char *call, guint deadline_ms)
{
  enter (check, call, deadline_ms, FALSE);
}

/* ---- what it returned ------------------------------------------------------------------------------- */

static gboolean
is_one_line (const char *text)
{
  for (; *text != '\0'; text++)
    if (g_ascii_iscntrl (*text))
      return FALSE;
  return TRUE;
}

static const char *
fault_of_sentence (const char *text)
{
  gsize length = text != NULL ? strlen (text) : 0;

  if (length == 0)
    return "says nothing";
  if (length > 1000 || !g_utf8_validate (text, -1, NULL) || !is_one_line (text))
    return "is not one line of UTF-8 of at most 1000 bytes";
  /* An abbreviation or a name may stand first. */
  if (g_ascii_isupper (text[0]) && g_ascii_islower (text[1]))
    return "starts with a capital letter";
  /* What stands behind a colon may be the sentence of a library. */
  return text[length - 1] == '.' && strstr (text, ": ") == NULL ? "ends with a full stop" : NULL;
}

static void
police_error (SpCheck *check, const char *call, const GError *error)
{
  const char *fault = fault_of_sentence (error->message);

  /* The core says itself that time was up, whatever the plugin calls it. */
  if (g_cancellable_is_cancelled (check->cancellable))
    return;
  if (error->domain != SP_ERROR)
    sp_check_blame (check, SP_RULE_SENTENCE, "%s gave an error of the domain %s: \"%s\"", call,
                    g_quark_to_string (error->domain), error->message);
  else if (error->code < SP_ERROR_INTERNAL || error->code > SP_ERROR_UNSUPPORTED)
    sp_check_blame (check, SP_RULE_SENTENCE, "%s gave an error with the unknown code %d", call,
                    error->code);
  else if (fault != NULL)
    sp_check_blame (check, SP_RULE_SENTENCE, "the error of %s %s: \"%s\"", call, fault,
                    error->message);
}

static const char *
leave (SpCheck *check)
{
  const char *call;

  g_mutex_lock (&check->lock);
  call = check->call;
  check->call = NULL;
  g_mutex_unlock (&check->lock);
  clear_timer (check);
  sp_check_report (SP_CHECK_RETURNED, call);
  sp_check_world_compare (check->world, check, call);
  return call;
}

gboolean
sp_check_leave (SpCheck *check, gboolean ok, const GError *error)
{
  const char *call = leave (check);

  if (ok && error != NULL)
    sp_check_blame (check, SP_RULE_ERROR, "%s succeeded and set an error all the same: \"%s\"",
                    call, error->message);
  if (!ok && error == NULL)
    sp_check_blame (check, SP_RULE_ERROR, "%s failed and set no error", call);
  if (!ok && error != NULL)
    police_error (check, call, error);
  return ok && error == NULL;
}

gboolean
sp_check_finish (SpCheckInstance *instance, gboolean ok, GError *why, GError **error)
{
  if (sp_check_leave (instance->check, ok, why)) {
    g_clear_error (&why);
    return TRUE;
  }
  if (why != NULL)
    g_propagate_error (error, why);
  else
    g_set_error_literal (error, SP_ERROR, SP_ERROR_INTERNAL, "it did not say why");
  return FALSE;
}

void
sp_check_leave_plain (SpCheck *check)
{
  (void) leave (check);
}

gboolean
sp_check_need (SpCheck *check, const char *call, gboolean ok, const GError *error)
{
  gboolean late = check->cancellable != NULL && g_cancellable_is_cancelled (check->cancellable);

  if (ok)
    return TRUE;
  if (error != NULL && !check->live && !check->judged &&
      (late || g_error_matches (error, SP_ERROR, SP_ERROR_UNAVAILABLE))) {
    g_autofree char *text =
        g_strdup_printf ("%s did not reach its service: %s", call, error->message);

    check->judged = TRUE;
    sp_check_report (SP_CHECK_AWAY, text);
    return FALSE;
  }
  sp_check_fail (check, "%s failed: %s", call, error != NULL ? error->message : "no reason given");
  return FALSE;
}

/* ---- between calls ----------------------------------------------------------------------------------- */

static gboolean
on_over (gpointer over)
{
  *(gboolean *) over = TRUE;
  return G_SOURCE_REMOVE;
}

void
sp_check_iterate (SpCheck *check, guint ms)
{
  g_autoptr (GSource) end = g_timeout_source_new (ms);
  gboolean over = FALSE;

  g_source_set_callback (end, on_over, &over, NULL);
  g_source_attach (end, check->context);
  while (!over)
    (void) g_main_context_iteration (check->context, TRUE);
  g_source_destroy (end);
  sp_check_world_compare (check->world, check, "a source of it");
}
