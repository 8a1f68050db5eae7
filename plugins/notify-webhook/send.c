/* send.c - the deliveries of send.h
 *
 * What must stay true: before a request leaves the core remembers that it may arrive; what is sent again has
 * the same delivery id; a service that asks for a pause gets it, whoever calls; what was refused is not sent
 * again.
 */
#include "send.h"

#include <string.h>

#include "answers.h"
#include "probe.h"
#include "sign.h"

/* ---- one delivery --------------------------------------------------------------------------------------- */

typedef struct {
  WhHook *hook;
  gboolean may_answer; /* its reply may hold a person's answer */
  GCancellable *cancellable;
  gboolean over;
  WhOutcome outcome;
  guint pause;
  char *what;
} Attempt;

static void
on_reply (const WhReply *reply, gpointer data)
{
  Attempt *attempt = data;

  attempt->over = TRUE;
  attempt->outcome = reply->outcome;
  attempt->pause = reply->pause;
  g_free (attempt->what);
  attempt->what = g_strdup (reply->what);
  if (reply->outcome != WH_OK || !attempt->may_answer ||
      wh_answers_from_reply (attempt->hook, reply))
    return;
  /* Sent again, it brings the answer again. */
  attempt->outcome = WH_TRANSIENT;
  attempt->what = g_strdup ("the answer that came back could not be recorded");
}

static gboolean
on_wake (gpointer data)
{
  return G_SOURCE_REMOVE;
}

/* In whatever thread cancels.  A GCancellableSource would do the same, but is never freed where the
 * cancelling and its end meet. */
static void
on_cancelled (GCancellable *cancellable, gpointer context)
{
  g_main_context_wakeup (context);
}

/* FALSE: time was up before the pause was over. */
static gboolean
wait_for_pause (WhHook *hook, GCancellable *cancellable)
{
  gint64 left;

  while ((left = hook->send_after - g_get_monotonic_time ()) > 0) {
    g_autoptr (GSource) timer = wh_hook_timer (hook, (guint) (left / 1000 + 1), on_wake, NULL);

    if (g_cancellable_is_cancelled (cancellable)) {
      g_source_destroy (timer);
      return FALSE;
    }
    g_main_context_iteration (hook->context, TRUE);
    g_source_destroy (timer);
  }
  return !g_cancellable_is_cancelled (cancellable);
}

static void
run_attempt (Attempt *attempt, GBytes *body, const char *delivery)
{
  WhHook *hook = attempt->hook;
  WhCall *call = wh_hook_send (hook, hook->uri, body, delivery, on_reply, attempt);
  gboolean cancelled = FALSE;

  attempt->over = FALSE;
  while (!attempt->over) {
    if (!cancelled && g_cancellable_is_cancelled (attempt->cancellable)) {
      cancelled = TRUE;
      wh_call_cancel (call);
    }
    g_main_context_iteration (hook->context, TRUE);
  }
}

/* After a failure that may pass. */
static void
put_off (Attempt *attempt)
{
  WhHook *hook = attempt->hook;
  guint delay = wh_hook_backoff (++hook->send_failures, attempt->pause);

  hook->send_after = g_get_monotonic_time () + delay * G_TIME_SPAN_MILLISECOND;
  /* A single hiccup is no news. */
  if (hook->send_failures > 1) {
    wh_hook_health (hook, WH_SIDE_SEND, attempt->what);
    wh_probe_soon (hook->probe);
  }
}

static void
try_until_over (Attempt *attempt, GBytes *body, const char *delivery)
{
  WhHook *hook = attempt->hook;

  do {
    if (!wait_for_pause (hook, attempt->cancellable)) {
      attempt->outcome = WH_CANCELLED;
      return;
    }
    run_attempt (attempt, body, delivery);
    if (attempt->outcome == WH_TRANSIENT)
      put_off (attempt);
  } while (attempt->outcome == WH_TRANSIENT);
  if (attempt->outcome == WH_OK) {
    hook->send_failures = 0;
    wh_hook_health (hook, WH_SIDE_SEND, NULL);
  } else if (attempt->outcome == WH_REFUSED) {
    wh_probe_soon (hook->probe);
  }
}

/* Takes @body.  FALSE: @error is REFUSED or UNAVAILABLE. */
static gboolean
deliver (WhHook *hook, JsonObject *object, const char *delivery, gboolean may_answer,
         GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) body = wh_body_bytes (object);
  gulong wake = 0;
  Attempt attempt = { .hook = hook, .may_answer = may_answer, .cancellable = cancellable };
  g_autofree char *what = NULL;

  if (cancellable != NULL)
    wake = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), hook->context, NULL);
  hook->sending++;
  try_until_over (&attempt, body, delivery);
  hook->sending--;
  g_cancellable_disconnect (cancellable, wake);
  what = attempt.what;
  if (attempt.outcome == WH_OK)
    return TRUE;
  g_set_error_literal (error, SP_ERROR,
                       attempt.outcome == WH_REFUSED ? SP_ERROR_REFUSED : SP_ERROR_UNAVAILABLE,
                       what != NULL ? what : "the service has not answered in time");
  return FALSE;
}

/* NULL where the form has none. */
static char *
delivery_of (WhHook *hook, const char *event, const char *notice, const char *target)
{
  g_autofree char *id = g_strdup_printf ("%s\n%s", notice, target);

  return hook->template->json ? wh_delivery (hook->maker.key, event, id) : NULL;
}

/* ---- post ------------------------------------------------------------------------------------------------- */

static gboolean
post_place (WhHook *hook, const SpNotice *notice, WhPlace *place, GCancellable *cancellable,
            GError **error)
{
  g_autofree char *delivery = delivery_of (hook, "notice", notice->id, place->target);
  JsonObject *body = hook->template->notice (&hook->maker, notice, place->target, delivery);

  place->arrived = deliver (hook, body, delivery, hook->template->json, cancellable, error);
  return place->arrived;
}

/* To all places that do not have it.  A place that refuses it is taken out, and @ret_refusal says why. */
static gboolean
post_places (WhHook *hook, const SpNotice *notice, WhNotice *record, GCancellable *cancellable,
             GError **ret_refusal, GError **error)
{
  guint i = 0;

  while (i < record->places->len) {
    WhPlace *place = g_ptr_array_index (record->places, i);
    g_autoptr (GError) why = NULL;

    if (place->arrived || post_place (hook, notice, place, cancellable, &why)) {
      i++;
      continue;
    }
    if (!g_error_matches (why, SP_ERROR, SP_ERROR_REFUSED)) {
      g_propagate_error (error, g_steal_pointer (&why));
      return FALSE;
    }
    g_clear_error (ret_refusal);
    *ret_refusal = g_steal_pointer (&why);
    g_ptr_array_remove_index (record->places, i);
  }
  return TRUE;
}

gboolean
wh_send_post (WhHook *hook, const SpNotice *notice, GCancellable *cancellable, GError **error)
{
  WhNotice *record = wh_notices_find (hook->notices, notice->id);
  g_autoptr (GError) refusal = NULL;
  gboolean ok;

  if (record == NULL)
    record = wh_notices_add (hook->notices, notice->id, notice->expires_at);
  for (char **target = hook->targets; *target != NULL; target++)
    wh_notice_place (record, *target);
  if (!wh_notices_keep (hook->notices, record, error))
    return FALSE;
  ok = post_places (hook, notice, record, cancellable, &refusal, error);
  if (!wh_notices_keep (hook->notices, record, ok ? error : NULL) || !ok)
    return FALSE;
  if (record->places->len == 0) {
    g_propagate_error (error, g_steal_pointer (&refusal));
    return FALSE;
  }
  if (refusal != NULL)
    wh_hook_alarm (hook, WH_ALARM_UNREACHED, "not everybody could be told: %s", refusal->message);
  return TRUE;
}

/* ---- settle ------------------------------------------------------------------------------------------------- */

gboolean
wh_send_settle (WhHook *hook, const SpNotice *notice, const SpOutcome *outcome,
                GCancellable *cancellable, GError **error)
{
  WhNotice *record = wh_notices_find (hook->notices, notice->id);

  if (record == NULL)
    return TRUE;
  while (record->places->len > 0) {
    const WhPlace *place = g_ptr_array_index (record->places, 0);
    g_autofree char *delivery = delivery_of (hook, "settled", notice->id, place->target);
    g_autoptr (GError) why = NULL;
    JsonObject *body =
        hook->template->settled (&hook->maker, notice, outcome, place->target, delivery);

    if (!deliver (hook, body, delivery, FALSE, cancellable, &why)) {
      if (!g_error_matches (why, SP_ERROR, SP_ERROR_REFUSED)) {
        g_propagate_error (error, g_steal_pointer (&why));
        return FALSE;
      }
      /* It stays as it is shown; its answers come too late. */
      wh_hook_alarm (hook, WH_ALARM_UNREACHED, "not everybody could be told that it is decided: %s",
                     why->message);
    }
    g_ptr_array_remove_index (record->places, 0);
  }
  return wh_notices_forget (hook->notices, record, error);
}

/* ---- answered ------------------------------------------------------------------------------------------------ */

static void
on_told (const WhReply *reply, gpointer data)
{
}

void
wh_send_answered (WhHook *hook, const WhJudged *judged)
{
  g_autofree char *whom = NULL;
  g_autofree char *delivery = NULL;
  g_autoptr (GBytes) bytes = NULL;
  JsonObject *body;

  if (hook->template->answered == NULL || hook->stopping)
    return;
  whom = g_strdup_printf ("%s\n%s\n%s", judged->choice, judged->person,
                          wh_result_name (judged->result));
  delivery = delivery_of (hook, "answered", judged->notice, whom);
  body = hook->template->answered (&hook->maker, judged, delivery);
  if (body == NULL)
    return;
  bytes = wh_body_bytes (body);
  wh_hook_send (hook, hook->uri, bytes, delivery, on_told, NULL);
}
