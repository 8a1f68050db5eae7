/* vault-record.c - vault-record.h */
#include "host/vm/vault-record.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/problem.h"

#define NAME "vault.json"
#define FORMAT 1
#define MAX_FILE 4096u

void
sp_vault_record_free (SpVaultRecord *record)
{
  if (record == NULL)
    return;
  g_free (record->image);
  g_free (record->previous);
  g_free (record->older);
  g_free (record->newest);
  g_free (record->machine);
  g_free (record->data);
  g_free (record->source);
  g_free (record->trust);
  g_free (record->base);
  g_free (record->bundle);
  g_free (record);
}

SpVaultRecord *
sp_vault_record_new (const char *image, const char *trust, const char *source)
{
  SpVaultRecord *record = g_new0 (SpVaultRecord, 1);

  record->image = g_strdup (image);
  record->machine = g_uuid_string_random ();
  record->data = g_uuid_string_random ();
  record->source = g_strdup (source);
  record->trust = g_strdup (trust);
  return record;
}

/* ---- another image --------------------------------------------------------------------------------------- */

void
sp_vault_record_try (SpVaultRecord *record, const char *image)
{
  g_free (record->older);
  record->older = g_steal_pointer (&record->previous);
  record->previous = g_steal_pointer (&record->image);
  record->image = g_strdup (image);
  record->index++;
  record->on_trial = TRUE;
}

void
sp_vault_record_had (SpVaultRecord *record, const char *version)
{
  if (record->newest != NULL && strverscmp (version, record->newest) <= 0)
    return;
  g_free (record->newest);
  record->newest = g_strdup (version);
}

void
sp_vault_record_keep (SpVaultRecord *record, const char *version)
{
  g_clear_pointer (&record->older, g_free);
  record->on_trial = FALSE;
  sp_vault_record_had (record, version);
}

void
sp_vault_record_go_back (SpVaultRecord *record)
{
  g_free (record->image);
  record->image = g_steal_pointer (&record->previous);
  record->previous = g_steal_pointer (&record->older);
  record->index++;
  record->on_trial = FALSE;
}

void
sp_vault_record_restore (SpVaultRecord *record, const char *image)
{
  record->index++;
  record->restoring = TRUE;
  if (g_str_equal (record->image, image))
    return;
  g_free (record->previous);
  record->previous = g_steal_pointer (&record->image);
  record->image = g_strdup (image);
}

void
sp_vault_record_take_origin (SpVaultRecord *record, const SpVaultRecord *of)
{
  g_free (record->trust);
  g_free (record->base);
  g_free (record->bundle);
  record->trust = g_strdup (of->trust);
  record->base = g_strdup (of->base);
  record->bundle = g_strdup (of->bundle);
  record->container = of->container;
}

/* ---- the file -------------------------------------------------------------------------------------------- */

/* What most vaults have not. */
static void
add_optional (JsonObject *object, const SpVaultRecord *record)
{
  const struct {
    const char *name, *value;
  } texts[] = { { "base", record->base },
                { "bundle", record->bundle },
                { "newest", record->newest },
                { "older", record->older },
                { "previous", record->previous } };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    if (texts[i].value != NULL)
      json_object_set_string_member (object, texts[i].name, texts[i].value);
  if (record->index > 0)
    json_object_set_int_member (object, "index", record->index);
  if (record->container)
    json_object_set_boolean_member (object, "container", TRUE);
  if (record->on_trial)
    json_object_set_boolean_member (object, "on_trial", TRUE);
  if (record->restoring)
    json_object_set_boolean_member (object, "restoring", TRUE);
}

gboolean
sp_vault_record_write (const SpVaultRecord *record, int folder, GError **error)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  g_autofree char *text = NULL;

  json_node_take_object (node, object);
  json_object_set_string_member (object, "data", record->data);
  json_object_set_int_member (object, "format", FORMAT);
  json_object_set_string_member (object, "image", record->image);
  json_object_set_string_member (object, "machine", record->machine);
  if (record->source != NULL)
    json_object_set_string_member (object, "source", record->source);
  else
    json_object_set_null_member (object, "source");
  json_object_set_string_member (object, "trust", record->trust);
  add_optional (object, record);
  text = sp_json_text (node);
  return sp_file_write_private (folder, NAME, SP_FILE_REPLACE, text, strlen (text), error);
}

static gboolean
take (JsonObject *object, const char *name, char **ret, GError **error)
{
  const char *text = NULL;

  if (!sp_json_get_string (object, name, &text, error))
    return FALSE;
  *ret = g_strdup (text);
  if (text != NULL)
    return TRUE;
  sp_problem_set_invalid (error, name, "%s is missing", name);
  return FALSE;
}

static gboolean
take_flag (JsonObject *object, const char *name, gboolean *ret, GError **error)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node == NULL || json_node_get_value_type (node) == G_TYPE_BOOLEAN) {
    *ret = node != NULL && json_node_get_boolean (node);
    return TRUE;
  }
  sp_problem_set_invalid (error, name, "%s is neither true nor false", name);
  return FALSE;
}

static gboolean
take_optional (JsonObject *object, SpVaultRecord *record, GError **error)
{
  const char *newest = NULL, *older = NULL, *previous = NULL;
  gint64 index = 0;

  if (!sp_json_get_string (object, "newest", &newest, error) ||
      !sp_json_get_string (object, "older", &older, error) ||
      !sp_json_get_string (object, "previous", &previous, error) ||
      !sp_json_get_int (object, "index", &index, error) ||
      !take_flag (object, "on_trial", &record->on_trial, error) ||
      !take_flag (object, "restoring", &record->restoring, error))
    return FALSE;
  record->newest = g_strdup (newest);
  record->older = g_strdup (older);
  record->previous = g_strdup (previous);
  record->index = (guint) CLAMP (index, 0, G_MAXINT32);
  if (index == record->index && (previous != NULL || !record->on_trial))
    return TRUE;
  sp_problem_set_invalid (error, "index", "what it says of an update fits nothing");
  return FALSE;
}

static gboolean
take_cloud (JsonObject *object, SpVaultRecord *record, GError **error)
{
  const char *base = NULL, *bundle = NULL;

  if (!sp_json_get_string (object, "base", &base, error) ||
      !sp_json_get_string (object, "bundle", &bundle, error) ||
      !take_flag (object, "container", &record->container, error))
    return FALSE;
  record->base = g_strdup (base);
  record->bundle = g_strdup (bundle);
  if ((base == NULL) == (bundle == NULL) && (!record->container || base != NULL))
    return TRUE;
  sp_problem_set_invalid (error, "base", "base and bundle go together, and a container with them");
  return FALSE;
}

static SpVaultRecord *
parse (const char *text, gsize length, GError **error)
{
  static const char *const allowed[] = { "base",      "bundle", "container", "data",
                                         "format",    "image",  "index",     "machine",
                                         "newest",    "older",  "on_trial",  "previous",
                                         "restoring", "source", "trust",     NULL };
  g_autoptr (JsonObject) object = sp_json_parse_object (text, length, allowed, error);
  g_autoptr (SpVaultRecord) record = g_new0 (SpVaultRecord, 1);
  gint64 format = 0;

  if (object == NULL || !sp_json_get_int (object, "format", &format, error) ||
      !take (object, "data", &record->data, error) ||
      !take (object, "image", &record->image, error) ||
      !take (object, "machine", &record->machine, error) ||
      !take (object, "trust", &record->trust, error) || !take_cloud (object, record, error) ||
      !take_optional (object, record, error))
    return NULL;
  if (format != FORMAT || !g_uuid_string_is_valid (record->machine)) {
    sp_problem_set_invalid (error, "format", "it is of another release, or damaged");
    return NULL;
  }
  if (!json_object_get_null_member (object, "source") &&
      !take (object, "source", &record->source, error))
    return NULL;
  return g_steal_pointer (&record);
}

SpVaultRecord *
sp_vault_record_read (int folder, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (SpSecret) text = sp_file_read_private (folder, NAME, MAX_FILE, &local);
  SpVaultRecord *record;

  if (g_error_matches (local, SP_PROBLEM, SP_PROBLEM_NOT_FOUND)) {
    g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND,
                         "there is no finished vault in this folder: make one with 'create' or "
                         "'takeover', or look after an interrupted one with 'takeover --resume'");
    return NULL;
  }
  record =
      text ? parse ((const char *) sp_secret_data (text), sp_secret_length (text), &local) : NULL;
  if (record == NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, NAME ": %s", local->message);
  return record;
}
