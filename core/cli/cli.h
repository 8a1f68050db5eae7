/* cli.h - what the verbs of `secret-proxy` share: the command line, parsed, and how a verb is called
 *
 * A verb is a row in the table of verbs.c.  Its function prints the result on stdout and returns an exit
 * status, or sets an error; what the error means for stdout, stderr and the exit status is main.c's.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "base/problem.h"

typedef struct {
  const char *name; /* without dashes */
  const char *arg;  /* what it takes; NULL: nothing */
  gboolean many;    /* may be given several times */
  const char *help; /* one line */
} SpCliOption;

typedef struct _SpCliVerb SpCliVerb;

typedef struct {
  const SpCliVerb *verb; /* NULL: none given */
  GHashTable *options;   /* name -> GPtrArray of strings */
  char **args;           /* what is no option, after the verb; NULL-terminated */
  guint n_args;
  gboolean rest; /* there was a "--" */
} SpCli;

struct _SpCliVerb {
  const char *name; /* "secret put" */
  const char *args; /* of the usage line: "NAME [--description T]" */
  const char *help; /* one line */
  const SpCliOption *options;
  gsize n_options;
  guint min_args, max_args;
  int failed; /* exit status of its own failure; 0: as the problem says */
  int (*run) (SpCli *cli, GError **error);
};

#define SP_CLI_OPTIONS(table) .options = (table), .n_options = G_N_ELEMENTS (table)

/* ---- verbs.c ----------------------------------------------------------------------------------------- */
extern const SpCliVerb sp_cli_verbs[];
extern const gsize sp_cli_n_verbs;
extern const SpCliOption sp_cli_globals[];
extern const gsize sp_cli_n_globals;

/* ---- parse.c ------------------------------------------------------------------------------------------ */
/* SP_PROBLEM_USAGE: with the nearest name and a usage line.  On failure, too, @ret_cli is what was
 * understood, so that the caller knows in which form to complain. */
gboolean sp_cli_parse (int argc, char **argv, SpCli **ret_cli, GError **error);
void sp_cli_free (SpCli *cli);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpCli, sp_cli_free)

gboolean sp_cli_has (const SpCli *cli, const char *option);
/* The last value given; NULL: none. */
const char *sp_cli_get (const SpCli *cli, const char *option);
/* All values; NULL: none. */
GPtrArray *sp_cli_all (const SpCli *cli, const char *option);
/* A duration ("1h") as whole seconds; absent: unchanged. */
gboolean
sp_cli_get_seconds (const SpCli *cli, const char *option, gint64 *ret_seconds, GError **error);
gboolean sp_cli_get_int (const SpCli *cli, const char *option, gint64 min, gint64 max,
                         gint64 *ret_value, GError **error);

char *sp_cli_usage (const SpCliVerb *verb); /* "usage: secret-proxy secret put NAME ..." */
char *sp_cli_help (const SpCliVerb *verb);  /* NULL: of the program */

/* ---- the verbs -------------------------------------------------------------------------------------------- */
int sp_cli_local (SpCli *cli, GError **error);
int sp_cli_secret_put (SpCli *cli, GError **error);
int sp_cli_secret_list (SpCli *cli, GError **error);
int sp_cli_secret_show (SpCli *cli, GError **error);
int sp_cli_secret_rm (SpCli *cli, GError **error);
int sp_cli_secret_rotate (SpCli *cli, GError **error);
int sp_cli_request_list (SpCli *cli, GError **error);
int sp_cli_request_approve (SpCli *cli, GError **error);
int sp_cli_request_deny (SpCli *cli, GError **error);
int sp_cli_grant_list (SpCli *cli, GError **error);
int sp_cli_grant_revoke (SpCli *cli, GError **error);
int sp_cli_agent_add (SpCli *cli, GError **error);
int sp_cli_agent_list (SpCli *cli, GError **error);
int sp_cli_agent_revoke (SpCli *cli, GError **error);
int sp_cli_vault_lock (SpCli *cli, GError **error);
int sp_cli_vault_unlock (SpCli *cli, GError **error);
int sp_cli_audit_show (SpCli *cli, GError **error);
int sp_cli_audit_verify (SpCli *cli, GError **error);
int sp_cli_ownership_show (SpCli *cli, GError **error);
int sp_cli_ownership_verify (SpCli *cli, GError **error);
int sp_cli_status (SpCli *cli, GError **error);
int sp_cli_config_check (SpCli *cli, GError **error);
int sp_cli_config_show (SpCli *cli, GError **error);
int sp_cli_config_apply (SpCli *cli, GError **error);
int sp_cli_plugin_list (SpCli *cli, GError **error);
int sp_cli_plugin_new (SpCli *cli, GError **error);
int sp_cli_plugin_show (SpCli *cli, GError **error);
int sp_cli_notify_answer (SpCli *cli, GError **error);
int sp_cli_plugin_check (SpCli *cli, GError **error);
int sp_cli_doctor (SpCli *cli, GError **error);
int sp_cli_image_audit (SpCli *cli, GError **error);
int sp_cli_image_check (SpCli *cli, GError **error);
int sp_cli_image_list (SpCli *cli, GError **error);
int sp_cli_image_rm (SpCli *cli, GError **error);
int sp_cli_get_value (SpCli *cli, GError **error);
int sp_cli_exec (SpCli *cli, GError **error);
int sp_cli_health (SpCli *cli, GError **error);
int sp_cli_image_build (SpCli *cli, GError **error);
int sp_cli_image_measure (SpCli *cli, GError **error);
int sp_cli_image_import (SpCli *cli, GError **error);
int sp_cli_image_export (SpCli *cli, GError **error);
int sp_cli_takeover (SpCli *cli, GError **error);
int sp_cli_create (SpCli *cli, GError **error);
int sp_cli_provision (SpCli *cli, GError **error);
int sp_cli_vm_run (SpCli *cli, GError **error);
int sp_cli_vm_start (SpCli *cli, GError **error);
int sp_cli_vm_stop (SpCli *cli, GError **error);
int sp_cli_vm_status (SpCli *cli, GError **error);
int sp_cli_vm_ssh (SpCli *cli, GError **error);
int sp_cli_vm_log (SpCli *cli, GError **error);
int sp_cli_vm_update (SpCli *cli, GError **error);
int sp_cli_vm_rollback (SpCli *cli, GError **error);
int sp_cli_relay (SpCli *cli, GError **error);
