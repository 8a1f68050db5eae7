/* host-api.c - the core as a plugin under test sees it: SpHostApi, with nothing behind it
 *
 * It keeps the bounds that the real one keeps.  Answers are judged here: they may come from any thread, at
 * any time, and each result that the core may give comes in turn.
 */
#include "plugin/check/case.h"

#include <string.h>

#include "base/json.h"
#include "plugin/protocol.h"

static SpCheckInstance *
self_of (SpHost *host)
{
  return (SpCheckInstance *) host;
}

/* ---- options ------------------------------------------------------------------------------------------ */

static GBytes *
config_secret (SpHost *host, const char *key)
{
  GBytes *secret = g_hash_table_lookup (self_of (host)->secrets, key);

  return secret != NULL ? g_bytes_ref (secret) : NULL;
}

/* ---- durable state -------------------------------------------------------------------------------------- */

static gboolean
remember (SpHost *host, const char *key, const char *value, GError **error)
{
  SpCheckInstance *self = self_of (host);
  const char *fault = sp_host_view_fault (&self->view, key, value);

  if (fault == NULL)
    sp_host_view_keep (&self->view, key, value);
  else
    g_set_error (error, SP_ERROR, SP_ERROR_INTERNAL, "cannot remember: %s", fault);
  return fault == NULL;
}

/* ---- messages ------------------------------------------------------------------------------------------- */

static void
broken (SpHost *host, const GError *why)
{
}

static void
take_text (SpHost *host, const char *text)
{
}

/* ---- answers -------------------------------------------------------------------------------------------- */

void
sp_check_note_notice (SpCheckInstance *instance, const SpNotice *notice)
{
  char **choices = g_new0 (char *, notice->n_choices + 1);

  for (gsize i = 0; i < notice->n_choices; i++)
    choices[i] = g_strdup (notice->choices[i].id);
  g_mutex_lock (&instance->view.lock);
  g_hash_table_replace (instance->notices, g_strdup (notice->id), choices);
  g_mutex_unlock (&instance->view.lock);
}

static gboolean
is_offered (SpCheckInstance *self, const SpAnswer *answer)
{
  const char *const *choices;
  gboolean offered;

  g_mutex_lock (&self->view.lock);
  choices = g_hash_table_lookup (self->notices, answer->notice_id);
  offered = choices != NULL && g_strv_contains (choices, answer->choice_id);
  g_mutex_unlock (&self->view.lock);
  return offered;
}

static gboolean
is_listed (const SpCheckInstance *self, const char *person)
{
  return g_strv_contains ((const char *const *) self->view.people, person);
}

/* What a TAKEN would mean is for the core; a plugin has to bear all of them. */
static SpAnswerResult
next_result (SpCheckInstance *self)
{
  static const SpAnswerResult results[] = { SP_ANSWER_NOT_ALLOWED, SP_ANSWER_TOO_LATE,
                                            SP_ANSWER_UNKNOWN,     SP_ANSWER_COUNTED,
                                            SP_ANSWER_TRY_AGAIN,   SP_ANSWER_TAKEN };
  guint at;

  g_mutex_lock (&self->view.lock);
  self->n_answers++;
  at = self->next_result++ % G_N_ELEMENTS (results);
  g_mutex_unlock (&self->view.lock);
  return results[at];
}

static SpAnswerResult
answer (SpHost *host, const SpAnswer *given, char **ret_text)
{
  SpCheckInstance *self = self_of (host);
  SpAnswer known = { .size = 0 };

  if (ret_text != NULL)
    *ret_text = NULL;
  memcpy (&known, given, MIN (sizeof known, given->size));
  if (known.notice_id == NULL || known.choice_id == NULL || known.person == NULL) {
    sp_check_blame (self->check, SP_RULE_KNOWN_NOTICE,
                    "it gave an answer without notice, choice or person");
    return SP_ANSWER_UNKNOWN;
  }
  if (!is_offered (self, &known)) {
    sp_check_blame (self->check, SP_RULE_KNOWN_NOTICE,
                    "it answered '%s' to the notice '%s', which it was never asked",
                    known.choice_id, known.notice_id);
    return SP_ANSWER_UNKNOWN;
  }
  if (!is_listed (self, known.person)) {
    sp_check_blame (self->check, SP_RULE_LISTED_PERSON,
                    "it answered as '%s', who is not one of people()", known.person);
    return SP_ANSWER_NOT_ALLOWED;
  }
  if (ret_text != NULL)
    *ret_text = g_strdup ("the suite has heard you");
  return next_result (self);
}

static SpAnswerResult
command (SpHost *host, const char *person, const char *text, const char *evidence, char **ret_text)
{
  SpCheckInstance *self = self_of (host);

  if (ret_text != NULL)
    *ret_text = NULL;
  if (person == NULL || text == NULL)
    return SP_ANSWER_UNKNOWN;
  if (is_listed (self, person))
    return SP_ANSWER_UNKNOWN;
  sp_check_blame (self->check, SP_RULE_LISTED_PERSON,
                  "it passed on a command of '%s', who is not one of people()", person);
  return SP_ANSWER_NOT_ALLOWED;
}

static SpJsonNode *
json_read (const char *text, gsize length, guint32 flags, GError **error)
{
  return sp_json_parse (text, length, flags, error);
}

const SpHostApi sp_check_api = {
  .size = sizeof (SpHostApi),
  .config_string = sp_host_view_string,
  .config_int = sp_host_view_int,
  .config_list = sp_host_view_list,
  .config_secret = config_secret,
  .instance = sp_host_view_instance,
  .state_dir = sp_host_view_state_dir,
  .people = sp_host_view_people,
  .recall = sp_host_view_recall,
  .recall_each = sp_host_view_recall_each,
  .remember = remember,
  .broken = broken,
  .alarm = take_text,
  .answer = answer,
  .json_read = json_read,
  .progress = take_text,
  .vm_changed = take_text,
  .command = command,
};
