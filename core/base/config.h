/* config.h - the host's config file, read, checked and kept
 *
 * /etc/secret-proxy/secret-proxy.conf, in GKeyFile's syntax.  Reading it reports everything that is
 * wrong at once, each with file and line.  What comes out is whole and never changes: the other parts
 * of the program need no check of their own.
 *
 * Sections: [vault NAME] [vm NAME] [notify NAME] [store NAME] [approver NAME] [source NAME].  The
 * middle three are plugin instances; a plugin's name where no such section exists means that plugin
 * with its defaults, and a section without `plugin =` is the plugin of the section's name.
 */
#pragma once

#include <secret-proxy/plugin.h>

#ifndef SP_CONFIG_PATH
#define SP_CONFIG_PATH "/etc/secret-proxy/secret-proxy.conf"
#endif

typedef struct _SpConfig SpConfig;

/* The options of plugin @plugin of the kind @kind ("notify", "store", "vm"), so that this file need
 * not know how plugins are found.  They stay valid until reading has ended.  An error of
 * SP_ERROR_UNSUPPORTED means that it can't be told: a warning, and the section is not checked. */
typedef gboolean (*SpConfigDescribe) (const char *kind, const char *plugin,
                                      const SpOption **ret_options, gsize *ret_n_options,
                                      gpointer data, GError **error);

typedef struct {
  const char *kind;   /* "notify", "store", "vm" */
  const char *name;   /* of the instance */
  const char *plugin; /* a name, or a path where it has a slash */
  GVariant *options;  /* a{ss}: what the file sets, without secrets */
  GVariant *secrets;  /* a{ss}: option -> where it lies; for sp_secret_fetch() */
  /* Of [notify] only. */
  gboolean on_host;    /* where = host: it runs beside the resident process, not in the vault VM */
  gboolean critical;   /* FALSE: the vault serves without it */
  const char *run_as;  /* the user that it runs as, with on_host; NULL: not given */
  const char *trouble; /* not critical, and its plugin is not to be had: why; NULL: nothing known */
} SpConfigInstance;

typedef struct {
  const char *name;
  GVariant *ids; /* a{ss}: notifier instance -> id there */
} SpConfigApprover;

typedef struct {
  const char *name;
  const SpConfigInstance *vm; /* NULL: none */
  const SpConfigInstance *store;
  const SpConfigInstance *const *notifiers; /* NULL-terminated; none: the admin approves */
  guint n_notifiers;
  guint quorum;
  guint agent_rate, agent_pending;
  const char *listen;      /* "127.0.0.1:3737", "[::1]:3737" */
  const char *listen_host; /* without brackets */
  guint16 listen_port;
  gboolean tls_required;
  gboolean tls_given; /* FALSE: tls_required is the default */
  const char *trust;  /* "exact", "rebuilt", "audited" */
  const char *image;  /* of which it is made: an id, or the name of a base; NULL: not given */
  gboolean allow_emulation;
  const char *master_key; /* "file:PATH", "systemd-creds:PATH", "exec:COMMAND"; NULL: not given */
} SpConfigVault;

typedef struct {
  const char *name;
  const char *exec;    /* "": this machine */
  const char *staging; /* an absolute path on the source */
  const char *disk;    /* these three: NULL where not given */
  const char *monitor;
  const char *ready;
  const char *accept; /* digests of findings of an audit, with commas between */
} SpConfigSource;

/* Read @path (NULL: SP_CONFIG_PATH).  NULL with SP_PROBLEM_CONFIG: the message has one line for each
 * thing that is wrong, "FILE:LINE: what".  The file must belong to root or the running user and be
 * writable by nobody else.  @describe NULL: plugins and their options are not checked. */
SpConfig *
sp_config_read (const char *path, SpConfigDescribe describe, gpointer data, GError **error);
/* The same of a text; @name stands for the file in messages. */
SpConfig *sp_config_parse (const char *name, const char *text, gsize length,
                           SpConfigDescribe describe, gpointer data, GError **error);
void sp_config_free (SpConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpConfig, sp_config_free)

/* All in the order of the file, NULL-terminated, never NULL; valid as long as @config. */
const SpConfigVault *const *sp_config_vaults (const SpConfig *config);
const SpConfigApprover *const *sp_config_approvers (const SpConfig *config);
const SpConfigSource *const *sp_config_sources (const SpConfig *config);
/* Those with a section and those that a bare name stands for. */
const SpConfigInstance *const *sp_config_instances (const SpConfig *config);
/* "127.0.0.1:3737" or "[::1]:3737"; the host without brackets.  SP_PROBLEM_CONFIG otherwise. */
gboolean
sp_config_parse_listen (const char *text, char **ret_host, guint16 *ret_port, GError **error);

/* "FILE:LINE: what"; nothing that forbids the use. */
const char *const *sp_config_warnings (const SpConfig *config);

/* By name; NULL name: the only vault, or the one named "default".  Not there: SP_PROBLEM_NOT_FOUND
 * with the nearest name. */
const SpConfigVault *sp_config_vault (const SpConfig *config, const char *name, GError **error);
const SpConfigSource *sp_config_source (const SpConfig *config, const char *name, GError **error);

/* The ids at notifier @instance of the approvers who have one: as, a new reference. */
GVariant *sp_config_people (const SpConfig *config, const char *instance);

/* The options of [vault] or [source], or those that every section [notify], [store] or [vm] has beside its
 * plugin's own, for printing. */
const SpOption *sp_config_table (const char *section, gsize *ret_n_options);
