/* host-api.c - the core as a plugin under test sees it: SpHostApi, with nothing behind it
 *
 * It keeps the bounds that the real one keeps.  Answers are judged here: they may come from any thread, at
 * any time, and each result that the core may give comes in turn.
 */
#include "plugin/check/case.h"

#include <string.h>

#include "base/json.h"
#include "base/option.h"
#include "plugin/protocol.h"

static SpCheckInstance *
self_of (SpHost *host)
{
  return (SpCheckInstance *) host;
}

/* ---- options ------------------------------------------------------------------------------------------ */

static const SpOptionValue *
value_of (SpHost *host, const char *key)
{
  return g_hash_table_lookup (self_of (host)->values, key);
}

static const char *
config_string (SpHost *host, const char *key)
{
  const SpOptionValue *value = value_of (host, key);

  return value != NULL ? value->text : NULL;
}

static gint64
config_int (SpHost *host, const char *key)
{
  const SpOptionValue *value = value_of (host, key);

  return value != NULL ? value->number : 0;
}

static const char *const *
config_list (SpHost *host, const char *key)
{
  static const char *const none[] = { NULL };
  const SpOptionValue *value = value_of (host, key);

  return value != NULL ? (const char *const *) value->list : none;
}

static GBytes *
config_secret (SpHost *host, const char *key)
{
  GBytes *secret = g_hash_table_lookup (self_of (host)->secrets, key);

  return secret != NULL ? g_bytes_ref (secret) : NULL;
}

static const char *
get_instance (SpHost *host)
{
  return self_of (host)->name;
}

static const char *
get_state_dir (SpHost *host)
{
  return self_of (host)->state_dir;
}

static const char *const *
get_people (SpHost *host)
{
  return (const char *const *) self_of (host)->people;
}

/* ---- durable state -------------------------------------------------------------------------------------- */

static char *
recall (SpHost *host, const char *key)
{
  SpCheckInstance *self = self_of (host);
  char *value;

  g_mutex_lock (&self->lock);
  value = g_strdup (g_hash_table_lookup (self->recalled, key));
  g_mutex_unlock (&self->lock);
  return value;
}

static int
compare_keys (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
recall_each (SpHost *host, const char *prefix, SpRecallFunc each, gpointer data)
{
  SpCheckInstance *self = self_of (host);
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer key;

  /* A copy: @each may call remember(). */
  g_mutex_lock (&self->lock);
  g_hash_table_iter_init (&iter, self->recalled);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    if (prefix == NULL || g_str_has_prefix (key, prefix))
      g_ptr_array_add (keys, g_strdup (key));
  g_mutex_unlock (&self->lock);
  g_ptr_array_sort (keys, compare_keys);
  for (guint i = 0; i < keys->len; i++) {
    g_autofree char *value = recall (host, g_ptr_array_index (keys, i));

    if (value != NULL && !each (g_ptr_array_index (keys, i), value, data))
      return;
  }
}

static gboolean
remember (SpHost *host, const char *key, const char *value, GError **error)
{
  SpCheckInstance *self = self_of (host);
  gboolean full = FALSE;

  if (key == NULL || *key == '\0' || strlen (key) > SP_REMEMBER_MAX_KEY ||
      (value != NULL && strlen (value) > SP_REMEMBER_MAX_VALUE)) {
    g_set_error_literal (error, SP_ERROR, SP_ERROR_REFUSED,
                         "a key has 1 to 128 bytes, and a value at most 8 KiB");
    return FALSE;
  }
  g_mutex_lock (&self->lock);
  if (value == NULL)
    g_hash_table_remove (self->recalled, key);
  else if (g_hash_table_size (self->recalled) < SP_REMEMBER_MAX_KEYS)
    g_hash_table_replace (self->recalled, g_strdup (key), g_strdup (value));
  else
    full = TRUE;
  g_mutex_unlock (&self->lock);
  if (full)
    g_set_error_literal (error, SP_ERROR, SP_ERROR_REFUSED, "there are 4096 keys already");
  return !full;
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
  g_mutex_lock (&instance->lock);
  g_hash_table_replace (instance->notices, g_strdup (notice->id), choices);
  g_mutex_unlock (&instance->lock);
}

static gboolean
is_offered (SpCheckInstance *self, const SpAnswer *answer)
{
  const char *const *choices;
  gboolean offered;

  g_mutex_lock (&self->lock);
  choices = g_hash_table_lookup (self->notices, answer->notice_id);
  offered = choices != NULL && g_strv_contains (choices, answer->choice_id);
  g_mutex_unlock (&self->lock);
  return offered;
}

static gboolean
is_listed (const SpCheckInstance *self, const char *person)
{
  return g_strv_contains ((const char *const *) self->people, person);
}

/* What a TAKEN would mean is for the core; a plugin has to bear all of them. */
static SpAnswerResult
next_result (SpCheckInstance *self)
{
  static const SpAnswerResult results[] = { SP_ANSWER_NOT_ALLOWED, SP_ANSWER_TOO_LATE,
                                            SP_ANSWER_UNKNOWN,     SP_ANSWER_COUNTED,
                                            SP_ANSWER_TRY_AGAIN,   SP_ANSWER_TAKEN };
  guint at;

  g_mutex_lock (&self->lock);
  self->n_answers++;
  at = self->next_result++ % G_N_ELEMENTS (results);
  g_mutex_unlock (&self->lock);
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
  .config_string = config_string,
  .config_int = config_int,
  .config_list = config_list,
  .config_secret = config_secret,
  .instance = get_instance,
  .state_dir = get_state_dir,
  .people = get_people,
  .recall = recall,
  .recall_each = recall_each,
  .remember = remember,
  .broken = broken,
  .alarm = take_text,
  .answer = answer,
  .json_read = json_read,
  .progress = take_text,
  .vm_changed = take_text,
  .command = command,
};
