/* option.h - the options of plugins and of the config file: check the table, parse a value
 *
 * An option is data (SpOption in secret-proxy/plugin.h); this is the only code that gives it meaning,
 * so a value reads the same in the config file, in the admin's JSON and in a plugin host.  A value of
 * type secret is never in the text: the text says where it lies.
 *
 * Errors are SP_PROBLEM_CONFIG and never quote a value that could be a secret.
 */
#pragma once

#include <secret-proxy/plugin.h>

#include "base/secret.h"

/* ---- the table ---------------------------------------------------------------------------------- */

/* Whether @key belongs to the core in every section of a plugin: "plugin", "where", "critical",
 * "run-as". */
gboolean sp_option_is_reserved (const char *key);

/* Whether @options is a sound table: keys are kebab-case, not reserved, and unique; types and flags
 * are known; limits are in order; a fallback parses; a required option has no fallback and a secret
 * neither that nor a list; choices are there where they must be; help is one short line. */
gboolean sp_options_check (const SpOption *options, gsize n_options, GError **error);

/* The row of @key, or NULL. */
const SpOption *sp_options_find (const SpOption *options, gsize n_options, const char *key);

/* "string", "bool", ...; NULL for a number that is no type. */
const char *sp_option_type_word (guint32 type);

/* ---- a value ------------------------------------------------------------------------------------ */

typedef struct {
  guint32 type;  /* SpOptionType */
  char *text;    /* as it stood, without white space around it; of a list: the whole list */
  gint64 number; /* BOOL 0 or 1, INT, DURATION in ms, SIZE in bytes; of a list: of the first */
  char **list;   /* the elements; an option that is no list has one */
} SpOptionValue;

/* @text as a value of @option.  The error says what is expected, not which option it is. */
SpOptionValue *sp_option_parse (const SpOption *option, const char *text, GError **error);
void sp_option_value_free (SpOptionValue *value);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpOptionValue, sp_option_value_free)

/* Every option of the table that is given or has a fallback: key -> SpOptionValue.  @given: a{ss}.
 * Secrets count as given where @given names their place; a required secret is not asked for here,
 * since its value takes another way.  The error names the option. */
GHashTable *
sp_options_resolve (const SpOption *options, gsize n_options, GVariant *given, GError **error);

/* ---- single types, for those who have no table -------------------------------------------------- */

/* "500ms", "90s", "15m", "2h", "1d" */
gboolean sp_parse_duration (const char *text, gint64 *ret_ms, GError **error);
/* "4096", "64K", "128M", "2G", "1T": powers of 1024 */
gboolean sp_parse_size (const char *text, gint64 *ret_bytes, GError **error);
/* https://..., or http:// with a loopback host; no user info, no fragment */
gboolean sp_check_url (const char *text, GError **error);
/* "yes", "no" */
gboolean sp_parse_bool (const char *text, gboolean *ret_value, GError **error);

/* ---- secrets ------------------------------------------------------------------------------------ */

typedef enum {
  SP_SECRET_IN_FILE = 1,   /* file:/absolute/path */
  SP_SECRET_IN_CREDENTIAL, /* credential:NAME, a file of that name in $CREDENTIALS_DIRECTORY */
} SpSecretPlace;

/* Where @text says that a secret lies.  @ret_where points into @text.  A literal value is refused,
 * and not quoted. */
gboolean sp_secret_place (const char *text, SpSecretPlace *ret_place, const char **ret_where,
                          GError **error);

/* Read the secret that @text names: at most 64 KiB, without one newline at its end, not empty.  A
 * file must be regular, belong to root or the running user, and be closed to group and others. */
SpSecret *sp_secret_fetch (const char *text, GError **error);

/* ---- names -------------------------------------------------------------------------------------- */

/* The name among @names (NULL-terminated) that is nearest to @name by edit distance, or NULL where
 * none is near enough to be meant.  @names may be NULL. */
const char *sp_nearest (const char *name, const char *const *names);
/* A new string: ": did you mean 'NEAREST'?", or "". */
char *sp_did_you_mean (const char *name, const char *const *names);

/* A name of a section or an instance: letters, digits, '.', '_', '-', at most 64, the first one a
 * letter or digit; so it is safe as a file name. */
gboolean sp_is_name (const char *name);

/* ---- printing ----------------------------------------------------------------------------------- */

/* For a terminal: two lines an option. */
char *sp_options_to_text (const SpOption *options, gsize n_options);
/* Rows of a Markdown table: key, type, default, meaning; with a header. */
char *sp_options_to_markdown (const SpOption *options, gsize n_options);
/* A JSON array of {"key","type","list","required","default","choices","min","max","help"}; what an
 * option does not have is null. */
char *sp_options_to_json (const SpOption *options, gsize n_options);
