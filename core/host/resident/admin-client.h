/* admin-client.h - calls to a vault through its admin.sock; they block until the answer is there */
#pragma once

#include <json-glib/json-glib.h>

#include "base/secret.h"

typedef struct _SpAdmin SpAdmin;

/* Connect to the vault in the folder @folder. */
SpAdmin *sp_admin_open_folder (const char *folder, GError **error);
void sp_admin_free (SpAdmin *admin);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAdmin, sp_admin_free)

/* @params is consumed; NULL: {}.  @secret: NULL, or what goes as secret_base64. */
JsonNode *sp_admin_call (SpAdmin *admin, const char *method, JsonObject *params, SpSecret *secret,
                         GError **error);
/* The pages of a list, as one: {"items":[...],"next":null}.  @max: at most so many items (0: all);
 * then "next" says whether there are more. */
JsonNode *
sp_admin_list (SpAdmin *admin, const char *method, JsonObject *params, guint max, GError **error);

/* A new object with one string member. */
JsonObject *sp_params_new (const char *name, const char *value);
