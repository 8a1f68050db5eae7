/* keeper-config.h - what the host hands to the keeper: its configuration and its keys
 *
 * docs/admin-channel.md has the form.  The host has checked what it says; here only the form is checked.
 */
#pragma once

#include "daemon/keeper-private.h"

typedef struct _SpKeeperConfig SpKeeperConfig;

/* SP_PROBLEM_INVALID where @secret, a serialised a{say}, is not of that form. */
SpKeeperConfig *sp_keeper_config_new (JsonObject *params, SpSecret *secret, GError **error);
void sp_keeper_config_free (SpKeeperConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpKeeperConfig, sp_keeper_config_free)

/* These four are the config's; NULL where there is none. */
JsonObject *sp_keeper_config_params (const SpKeeperConfig *config);
JsonObject *sp_keeper_config_store (const SpKeeperConfig *config);
JsonArray *sp_keeper_config_notifiers (const SpKeeperConfig *config);
const char *sp_keeper_text_member (JsonObject *object, const char *name);
/* Member @i of such a list; NULL where it is no object. */
JsonObject *sp_keeper_config_object (JsonArray *array, guint i);

/* The key @name; @length 0: of any length.  SP_PROBLEM_INVALID where it is not there. */
SpSecret *
sp_keeper_config_key (const SpKeeperConfig *config, const char *name, gsize length, GError **error);
/* What /v1/ownership serves; both new. */
gboolean sp_keeper_config_statement (const SpKeeperConfig *config, char **ret_statement,
                                     GBytes **ret_signature, GError **error);
/* People, notifiers, limits, anchor: all but the master key. */
SpVaultSettings *sp_keeper_config_settings (const SpKeeperConfig *config, GError **error);
/* What the notifier of @object is to be opened with, to be compared; see below. */
GHashTable *
sp_keeper_config_marks (const SpKeeperConfig *config, JsonObject *object, GError **error);
/* Open the plugin that @object stands for, of the store or of the list of notifiers. */
SpKeeperPlugin *
sp_keeper_config_start (const SpKeeperConfig *config, SpKeeper *keeper, JsonObject *object,
                        SpKind kind, guint slot, GError **error);

/* ---- keeper-marks.c: what a plugin was opened with ---------------------------------------------------------- */
/* key -> text, or the digest of a secret. */
GHashTable *sp_keeper_marks_new (const SpPluginSetup *setup, gboolean critical);
void sp_keeper_marks_set_critical (GHashTable *marks, gboolean critical);
/* TRUE: it has to be opened anew.  @ret_keys: what differs, as text for people; NULL: nothing that is the
 * plugin's own. */
gboolean sp_keeper_marks_differ (GHashTable *before, GHashTable *after, char **ret_keys);
