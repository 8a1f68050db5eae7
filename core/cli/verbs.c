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
  { "listen", "ADDRESS:PORT", FALSE, "listen there, whatever the config says" },
  { "url", "URL", FALSE, "what agents are told, where it is reached by another name" },
  { "ephemeral", NULL, FALSE, "without a folder: all of it is gone when it ends" },
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
static const SpCliOption answer_options[] = {
  { "person", "P", FALSE, "who answers: an id as [approver] lists it" },
  { "socket", "PATH", FALSE, "where the notifier hears answers, as it has told its program" },
  { "notifier", "NAME", FALSE, "the notifier of that name, instead of --socket" },
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

static const SpCliOption takeover_options[] = {
  { "resume", NULL, FALSE, "finish one that was interrupted" },
  { "abort", NULL, FALSE, "take back one that was interrupted" },
  { "approval-timeout", "TIME", FALSE, "how long the last step waits for a person, as in 2m" },
};
static const SpCliOption create_options[] = {
  { "image", "ID", FALSE, "which image; the newest of this host where it is not given" },
};
static const SpCliOption provision_options[] = {
  { "staging", "DIR", FALSE, "the folder that the host takes the vault from" },
  { "image", "DIR", FALSE, "the image, as 'image export' wrote it" },
  { "port", "N", FALSE, "where the vault listens on this machine; 3737" },
  { "memory", "SIZE", FALSE, "of the machine; 128M" },
  { "disk", "SIZE", FALSE, "of its disk; 256M" },
  { "vm", "PLUGIN", FALSE, "the vm plugin that runs it" },
  { "boot-timeout", "TIME", FALSE, "how long it may take until the vault answers; 4m" },
};
static const SpCliOption image_audit_options[] = {
  { "base", "FILE|DIR|ID", FALSE, "a qcow2, or a cloud image: its folder, or its id on this host" },
  { "accept", "DIGEST,…", FALSE, "findings that are known and no surprise" },
};
static const SpCliOption update_options[] = {
  { "image", "ID", FALSE, "which image; the newest of this host where it is not given" },
  { "older", NULL, FALSE, "also one of an older version than the vault has had" },
  { "no-copy", NULL, FALSE, "without a copy of the data volume, and so without a way back for it" },
  { "deadline", "TIME", FALSE, "how long it may take to answer, as in 2m; 4m" },
};
static const SpCliOption rollback_options[] = {
  { "data", NULL, FALSE, "put the data back, too: what came after the update is lost" },
  { "no-copy", NULL, FALSE, "without a copy of the data volume of now" },
  { "deadline", "TIME", FALSE, "how long it may take to answer, as in 2m; 4m" },
  YES,
};
static const SpCliOption log_options[] = {
  { "host", NULL, FALSE, "the messages of the resident process instead of the machine's console" },
};
static const SpCliOption health_options[] = {
  { "pin", "PIN", FALSE, "the key that it must have: sha256//BASE64" },
};

static const SpCliOption show_options[] = {
  { "markdown", NULL, FALSE, "as a page of the manual" },
};
static const SpCliOption new_options[] = {
  { "dir", "DIR", FALSE, "an empty or new folder for it; ./KIND-NAME where it is not given" },
};
static const SpCliOption apply_options[] = {
  { "dry-run", NULL, FALSE, "only show what would change" },
};

static const SpCliOption build_options[] = {
  { "output", "DIR", FALSE, "a new folder for it, instead of this host's images" },
  { "kernel", "FILE", FALSE, "which kernel; the newest of /boot where it is not given" },
  { "bundle", "DIR", FALSE, "instead: the programs with all that they need, for other machines" },
  { "oci", "FILE", FALSE, "instead: an OCI image of that, as a tar" },
};
static const SpCliOption export_options[] = {
  { "image", "ID|DIR", FALSE, "which image; the newest of this host where it is not given" },
};

static const SpCliOption plugin_check_options[] = {
  { "live", NULL, FALSE, "use the service behind it, or start a machine" },
};

#define MANY G_MAXUINT
#define VM_VERB(verb_, what_, run_) \
  { \
    .name = "vm " verb_, .args = "[VAULT]", .help = what_, .max_args = 1, .run = run_ \
  }

const SpCliVerb sp_cli_verbs[] = {
  { .name = "local",
    .args = "DIR|--ephemeral [--port N] [--listen ADDRESS:PORT] [--url URL]",
    .help = "run a vault on this machine without a VM",
    SP_CLI_OPTIONS (local_options),
    .max_args = 1,
    .run = sp_cli_local },
  { .name = "image build",
    .args = "[--output DIR] [--kernel FILE] | --bundle DIR | --oci FILE",
    .help = "build the appliance that vault VMs boot, a bundle or an OCI image",
    SP_CLI_OPTIONS (build_options),
    .run = sp_cli_image_build },
  { .name = "image measure",
    .args = "[ID|DIR]",
    .help = "hash an image and compare it with its manifest",
    .max_args = 1,
    .run = sp_cli_image_measure },
  { .name = "image import",
    .args = "DIR",
    .help = "add an image to those of this host",
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_image_import },
  { .name = "image export",
    .args = "DIR [--image ID|DIR]",
    .help = "copy an image for an agent to provision with",
    SP_CLI_OPTIONS (export_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_image_export },
  { .name = "image list",
    .help = "list the images of this host, and who uses them",
    .run = sp_cli_image_list },
  { .name = "image rm",
    .args = "ID [--yes]",
    .help = "remove an image that no vault uses",
    SP_CLI_OPTIONS (yes_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_image_rm },
  { .name = "provision",
    .args = "--staging DIR --image DIR [--port N] [--memory SIZE] [--disk SIZE] [--vm PLUGIN] "
            "[--boot-timeout TIME]",
    .help = "build a vault VM for the host to take over (the agent's part)",
    SP_CLI_OPTIONS (provision_options),
    .run = sp_cli_provision },
  { .name = "takeover",
    .args = "SOURCE [--resume|--abort] [--approval-timeout TIME]",
    .help = "make an agent's vault VM this host's own",
    SP_CLI_OPTIONS (takeover_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_takeover },
  { .name = "create",
    .args = "VAULT [--image ID]",
    .help = "make a vault VM on this host, without an agent's part",
    SP_CLI_OPTIONS (create_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_create },
  VM_VERB ("run", "run a vault's machine in the foreground", sp_cli_vm_run),
  VM_VERB ("start", "start a vault's machine and wait until it is unlocked", sp_cli_vm_start),
  VM_VERB ("stop", "stop a vault's machine in good order", sp_cli_vm_stop),
  VM_VERB ("status", "show how a vault's machine is", sp_cli_vm_status),
  { .name = "vm update",
    .args = "[VAULT] [--image ID] [--older] [--no-copy] [--deadline TIME]",
    .help = "move a vault to another image, with the data that it has",
    SP_CLI_OPTIONS (update_options),
    .max_args = 1,
    .run = sp_cli_vm_update },
  { .name = "vm rollback-image",
    .args = "[VAULT] [--data [--yes]] [--no-copy] [--deadline TIME]",
    .help = "move a vault back to the image of before",
    SP_CLI_OPTIONS (rollback_options),
    .max_args = 1,
    .run = sp_cli_vm_rollback },
  { .name = "vm log",
    .args = "[VAULT] [--host]",
    .help = "show what the machine wrote to its console",
    SP_CLI_OPTIONS (log_options),
    .max_args = 1,
    .run = sp_cli_vm_log },
  { .name = "health",
    .args = "[URL --pin PIN]",
    .help = "see whether a vault works, and what in it does not; with URL whether it answers at "
            "its key",
    SP_CLI_OPTIONS (health_options),
    .max_args = 1,
    .run = sp_cli_health },
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
  { .name = "vault lock",
    .args = "[--yes]",
    .help = "end all requests and grants, and hand out nothing any more",
    SP_CLI_OPTIONS (yes_options),
    .run = sp_cli_vault_lock },
  { .name = "vault unlock", .help = "let agents ask again", .run = sp_cli_vault_unlock },
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
  { .name = "config apply",
    .args = "[--dry-run]",
    .help = "have the running vault take the changed config file",
    SP_CLI_OPTIONS (apply_options),
    .run = sp_cli_config_apply },
  { .name = "plugin new",
    .args = "notify|store|vm NAME [--dir DIR]",
    .help = "write a project for a plugin of your own",
    SP_CLI_OPTIONS (new_options),
    .min_args = 2,
    .max_args = 2,
    .run = sp_cli_plugin_new },
  { .name = "plugin list", .help = "list the plugins", .run = sp_cli_plugin_list },
  { .name = "plugin show",
    .args = "NAME|PATH [--markdown]",
    .help = "show one plugin and its options",
    SP_CLI_OPTIONS (show_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_plugin_show },
  { .name = "plugin check",
    .args = "FILE [--live]",
    .help = "see whether a plugin keeps the contract; prints TAP",
    SP_CLI_OPTIONS (plugin_check_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_plugin_check },
  { .name = "notify answer",
    .args = "ID CHOICE --person P (--socket PATH | --notifier NAME)",
    .help = "answer a notice that a program was told",
    SP_CLI_OPTIONS (answer_options),
    .min_args = 2,
    .max_args = 2,
    .run = sp_cli_notify_answer },
  { .name = "image audit",
    .args = "DISK --base FILE|DIR|ID [--accept DIGEST,…]",
    .help = "compare all on a disk with the image that it was made of",
    SP_CLI_OPTIONS (image_audit_options),
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_image_audit },
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
  { .name = "relay",
    .args = "SOCKET",
    .help = "connect stdin and stdout to a Unix socket",
    .min_args = 1,
    .max_args = 1,
    .run = sp_cli_relay },
};
const gsize sp_cli_n_verbs = G_N_ELEMENTS (sp_cli_verbs);
