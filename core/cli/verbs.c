/* verbs.c - the table of everything that can be typed */
#include "cli/cli.h"

const SpCliOption sp_cli_globals[] = {
  { "json", NULL, FALSE, "print one JSON object instead of text" },
  { "config", "FILE", FALSE, "the config file, instead of the one in /etc" },
  { "vault", "NAME|PATH/", FALSE, "which vault: a name, or its folder" },
  { "plugin-dir", "DIR", FALSE, "where plugins lie" },
  { "version", NULL, FALSE, "print the version" },
  { "help", NULL, FALSE, "print help, also after a verb" },
};
const gsize sp_cli_n_globals = G_N_ELEMENTS (sp_cli_globals);

#define YES \
  { \
    "yes", NULL, FALSE, "do not ask" \
  }

static const SpCliOption yes_options[] = { YES };
static const SpCliOption local_options[] = {
  { "port", "N", FALSE, "listen on this port; 0: a free one" },
};
static const SpCliOption put_options[] = {
  { "description", "TEXT", FALSE, "what it is, for people and agents" },
  { "base64", NULL, FALSE, "the input is base64" },
  { "allow", "AGENT,…", FALSE, "which agents may ask for it" },
  { "confirm", "tap|code", FALSE, "how it is approved" },
  { "grant-max", "TIME", FALSE, "the longest time that one approval may hold, as in 1h" },
};
static const SpCliOption request_list_options[] = {
  { "status", "STATUS", FALSE, "only these: pending, approved, denied, …" },
};
static const SpCliOption approve_options[] = {
  { "for", "TIME", FALSE, "let the approval hold for a time, as in 1h" },
};
static const SpCliOption agent_add_options[] = {
  { "write", "FILE", FALSE, "write agent.json there instead of printing the token" },
};
static const SpCliOption audit_options[] = {
  { "after", "SEQ", FALSE, "only entries after this one" },
  { "limit", "N", FALSE, "at most so many" },
};
static const SpCliOption get_options[] = {
  { "reason", "TEXT", FALSE, "why: the person who decides reads it" },
  { "ttl", "SECONDS", FALSE, "how long to wait for a decision, 30 to 3600" },
  { "show", NULL, FALSE, "print the value even on a terminal" },
};
static const SpCliOption exec_options[] = {
  { "secret", "VAR=NAME", TRUE, "put the secret NAME into the variable VAR" },
  { "reason", "TEXT", FALSE, "why: the person who decides reads it" },
  { "ttl", "SECONDS", FALSE, "how long to wait for a decision, 30 to 3600" },
};

#define MANY G_MAXUINT

const SpCliVerb sp_cli_verbs[] = {
  { .name = "local",
    .args = "DIR [--port N]",
    .help = "run a vault on this machine without a VM",
    SP_CLI_OPTIONS (local_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_local },
  { .name = "status", .help = "show how the vault is", .run = sp_cli_status },
  { .name = "doctor", .help = "check this machine and what is set up on it", .run = sp_cli_doctor },
  { .name = "secret put",
    .args = "NAME [--description TEXT] [--base64] [--allow AGENT,…] [--confirm tap|code] "
            "[--grant-max TIME]",
    .help = "store a secret; the value is read from stdin",
    SP_CLI_OPTIONS (put_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_secret_put },
  { .name = "secret list", .help = "list the secrets, without values", .run = sp_cli_secret_list },
  { .name = "secret show",
    .args = "NAME",
    .help = "show one secret, without its value",
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_secret_show },
  { .name = "secret rm",
    .args = "NAME [--yes]",
    .help = "remove a secret",
    SP_CLI_OPTIONS (yes_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_secret_rm },
  { .name = "secret rotate",
    .help = "wrap all secrets under a new key",
    .run = sp_cli_secret_rotate },
  { .name = "request list",
    .args = "[--status STATUS]",
    .help = "list what agents ask for",
    SP_CLI_OPTIONS (request_list_options),
    .run = sp_cli_request_list },
  { .name = "request approve",
    .args = "ID [--for TIME]",
    .help = "approve a request",
    SP_CLI_OPTIONS (approve_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_request_approve },
  { .name = "request deny",
    .args = "ID",
    .help = "deny a request",
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_request_deny },
  { .name = "grant list", .help = "list approvals that hold for a time", .run = sp_cli_grant_list },
  { .name = "grant revoke",
    .args = "ID [--yes]",
    .help = "end a grant",
    SP_CLI_OPTIONS (yes_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_grant_revoke },
  { .name = "agent add",
    .args = "NAME [--write FILE]",
    .help = "add an agent; its token is shown once",
    SP_CLI_OPTIONS (agent_add_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_agent_add },
  { .name = "agent list", .help = "list the agents", .run = sp_cli_agent_list },
  { .name = "agent revoke",
    .args = "NAME [--yes]",
    .help = "end an agent's access",
    SP_CLI_OPTIONS (yes_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_agent_revoke },
  { .name = "audit show",
    .args = "[--after SEQ] [--limit N]",
    .help = "show the audit log",
    SP_CLI_OPTIONS (audit_options),
    .run = sp_cli_audit_show },
  { .name = "audit verify",
    .help = "check the audit log from its first entry on",
    .run = sp_cli_audit_verify },
  { .name = "ownership show",
    .help = "show the ownership statement",
    .run = sp_cli_ownership_show },
  { .name = "ownership verify",
    .help = "have the vault prove whose it is",
    .run = sp_cli_ownership_verify },
  { .name = "config check", .help = "check the config file", .run = sp_cli_config_check },
  { .name = "config show", .help = "show what the config file means", .run = sp_cli_config_show },
  { .name = "plugin list", .help = "list the plugins", .run = sp_cli_plugin_list },
  { .name = "plugin show",
    .args = "NAME|PATH",
    .help = "show one plugin and its options",
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_plugin_show },
  { .name = "image check",
    .args = "FILE",
    .help = "check a qcow2 image as a takeover does",
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_image_check },
  { .name = "get",
    .args = "NAME --reason TEXT [--ttl SECONDS] [--show]",
    .help = "ask for a secret, wait, print its value",
    SP_CLI_OPTIONS (get_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_get_value },
  { .name = "exec",
    .args = "--secret VAR=NAME [--secret …] --reason TEXT -- COMMAND [ARG…]",
    .help = "run a command with secrets in its environment",
    SP_CLI_OPTIONS (exec_options),
    .min_args = 1,
    .max_args = MANY,
    .failed = 125,
    .run = sp_cli_exec },
};
const gsize sp_cli_n_verbs = G_N_ELEMENTS (sp_cli_verbs);
