/* config-private.h - between the files that read the config file
 *
 * config-scan.c turns text into sections with line numbers, config-check.c, config-vault.c and
 * config-people.c turn sections into an SpConfig, config.c reads the file and keeps the result.
 */
#pragma once

#include "base/config.h"

/* ---- what is wrong, in the order of the file ------------------------------------------------------ */

typedef struct _SpConfigReport SpConfigReport;

SpConfigReport *sp_config_report_new (const char *file);
void sp_config_report_free (SpConfigReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpConfigReport, sp_config_report_free)

/* @line 0: the file as a whole. */
void sp_config_complain (SpConfigReport *report, guint line, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
void
sp_config_warn (SpConfigReport *report, guint line, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* All complaints, one a line; NULL: none. */
char *sp_config_report_errors (SpConfigReport *report);
/* NULL-terminated. */
char **sp_config_report_warnings (SpConfigReport *report);

/* ---- sections --------------------------------------------------------------------------------------- */

typedef struct {
  char *group; /* the header as GKeyFile knows it */
  char *key;
  char *value; /* NULL: it could not be read, and that was reported */
  guint line;
} SpConfigEntry;

typedef struct {
  char *kind;
  char *name;
  guint line;
  GPtrArray *entries; /* SpConfigEntry; keys are unique */
} SpConfigSection;

/* The sections of @text; what is wrong goes to @report. */
GPtrArray *sp_config_scan (const char *text, gsize length, SpConfigReport *report);

/* The line of @key, or the section's where it is not set. */
guint sp_config_section_line (const SpConfigSection *section, const char *key);
/* NULL where it is not set. */
const char *sp_config_section_value (const SpConfigSection *section, const char *key);

/* ---- the result ------------------------------------------------------------------------------------- */

struct _SpConfig {
  GStringChunk *strings; /* all text of the members below */
  GPtrArray *instances;  /* SpConfigInstance; these four end with NULL once the config is whole */
  GPtrArray *vaults;     /* SpConfigVault */
  GPtrArray *approvers;  /* SpConfigApprover */
  GPtrArray *sources;    /* SpConfigSource */
  char **warnings;
};

/* What the checks work on. */
typedef struct {
  SpConfig *config;
  GPtrArray *sections;
  SpConfigDescribe describe;
  gpointer data;
  SpConfigReport *report;
} SpConfigCheck;

/* Fill check->config, which is empty. */
void sp_config_check (SpConfigCheck *check);

/* The values of @section under a table, key -> SpOptionValue, with defaults; what is wrong is
 * reported and left out.  @lenient: a key that is in no table is not. */
GHashTable *sp_config_take_values (SpConfigCheck *check, const SpConfigSection *section,
                                   const SpOption *options, gsize n_options, gboolean lenient);
/* The keys that a section of this kind has beside the options of its plugin. */
const SpOption *sp_config_instance_table (const char *kind, gsize *ret_n_options);
/* The instance that @name stands for, made if need be; NULL after a complaint about @line. */
const SpConfigInstance *
sp_config_need_instance (SpConfigCheck *check, const char *kind, const char *name, guint line);
/* Sections of one kind, in the order of the file. */
void sp_config_take_instance (SpConfigCheck *check, const SpConfigSection *section);
void sp_config_take_vault (SpConfigCheck *check, const SpConfigSection *section);
void sp_config_take_approver (SpConfigCheck *check, const SpConfigSection *section);
void sp_config_take_source (SpConfigCheck *check, const SpConfigSection *section);
/* What can only be said of all: ids of one person twice, notifiers without a person, quorum. */
void sp_config_check_people (SpConfigCheck *check);

/* Among config->instances, before or after they end with NULL. */
SpConfigInstance *
sp_config_find_instance (const SpConfig *config, const char *kind, const char *name);

/* ---- rules of single values: config-value.c ---------------------------------------------------------- */

/* Quotes nothing: it may be a key. */
gboolean sp_config_check_master_key (const char *text, GError **error);
/* An id of a person at a service. */
gboolean sp_config_check_person (const char *text, GError **error);
