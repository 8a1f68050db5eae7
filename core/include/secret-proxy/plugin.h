/* secret-proxy/plugin.h - what every plugin shares
 *
 * A plugin is one shared object that exports one function, written for it by SP_NOTIFIER_PLUGIN(),
 * SP_STORE_PLUGIN() or SP_VM_PLUGIN().  The function hands over a constant description; the core does the rest.
 *
 *      open   ->  start   ->  calls of its kind ...  ->  stop  ->  close
 *      (parse)    (connect)                              (any order of failure ends in close)
 *
 * Process    Each open plugin has a process of its own, the plugin host, which holds no key of the
 *            vault.  Every call into the plugin is made on one thread there, one at a time, so
 *            blocking is allowed.  That thread's default GMainContext runs between calls: attach
 *            sources to it, or iterate it while a call waits.  Calls back into the core may come
 *            from any thread of the process, and may block for as long as the core needs.
 * Deadlines  A call gets a GCancellable; it is cancelled when time is up.  A plugin that goes on
 *            all the same is killed with its process, and started again.
 * Ownership  Arguments are the caller's, and valid for the call only.  What a call returns
 *            belongs to the core.  Strings are UTF-8.
 * Errors     A call that can fail returns FALSE or NULL and sets @error, or succeeds and leaves it
 *            alone.  Use SP_ERROR; lower case, no full stop, no plugin name (the core adds it).
 * Growth     Members are only ever added at the end of a table.  A member that a plugin does not
 *            set means what its comment says under "unset".
 * Hygiene    A plugin leaves signals, environment, locale, umask, working directory, stdin and
 *            stdout alone, and has no thread that outlives stop().
 */
#pragma once

#include <gio/gio.h>
#include <gmodule.h>

G_BEGIN_DECLS

/* Moves only when the meaning of an old member changes. */
#define SP_PLUGIN_ABI 1u

/* ---- errors --------------------------------------------------------------------------------- */

typedef enum {
  SP_ERROR_INTERNAL,    /* a bug, or nothing below fits */
  SP_ERROR_CONFIG,      /* the admin must change the configuration */
  SP_ERROR_NOT_FOUND,   /* expected: no such thing */
  SP_ERROR_CONFLICT,    /* expected: it changed under the caller */
  SP_ERROR_REFUSED,     /* the other side said no; do not try again */
  SP_ERROR_UNAVAILABLE, /* the other side is out of reach; try again later */
  SP_ERROR_UNSUPPORTED, /* this plugin cannot do that */
} SpErrorCode;

#define SP_ERROR (sp_error_quark ())
static inline GQuark
sp_error_quark (void)
{
  return g_quark_from_static_string ("secret-proxy");
}

/* ---- options: declared here; parsed, checked and documented by the core ---------------------- */

typedef enum {
  SP_OPTION_STRING = 1,
  SP_OPTION_BOOL,     /* yes, no */
  SP_OPTION_INT,      /* limited by min and max */
  SP_OPTION_DURATION, /* "90s", "15m", "2h", "1d"; read back in milliseconds; min, max too */
  SP_OPTION_SIZE,     /* "128M"; read back in bytes; min, max too */
  SP_OPTION_PATH,     /* absolute */
  SP_OPTION_URL,      /* https, or http to a loopback address */
  SP_OPTION_CHOICE,   /* one of choices, "a|b|c" */
  SP_OPTION_SECRET, /* names where the secret lies (file:PATH, credential:NAME), never its value */
} SpOptionType;

typedef enum {
  SP_OPTION_REQUIRED = 1 << 0,
  SP_OPTION_LIST = 1 << 1, /* several, separated by commas */
} SpOptionFlags;

typedef struct {
  const char *key;      /* "poll-interval" */
  guint32 type;         /* SpOptionType */
  guint32 flags;        /* SpOptionFlags */
  const char *fallback; /* as it would stand in the file; unset: the option may be absent */
  const char *choices;
  gint64 min, max;  /* both 0: no limit */
  const char *help; /* one line: no capital first letter, no full stop */
} SpOption;

/* ---- what the core offers to a plugin -------------------------------------------------------- */

typedef struct _SpHost SpHost;

typedef enum {
  SP_ANSWER_TAKEN,       /* it decided the matter */
  SP_ANSWER_COUNTED,     /* a vote; more are needed */
  SP_ANSWER_NOT_ALLOWED, /* this person may not decide; the notice stays open */
  SP_ANSWER_TOO_LATE,    /* decided, expired or withdrawn before */
  SP_ANSWER_UNKNOWN,     /* no such notice or choice */
  SP_ANSWER_TRY_AGAIN,   /* not recorded: keep the answer and give it again later */
} SpAnswerResult;

typedef struct {
  gsize size;
  const char *notice_id;
  const char *choice_id;
  const char *person;   /* the id at the service, as [approver] lists it; never a display name */
  const char *evidence; /* for the audit log: message and update ids; no secret; may be NULL */
} SpAnswer;

typedef struct _JsonNode SpJsonNode; /* json-glib's JsonNode: see secret-proxy/json.h */

/* @key, @value: one remembered pair.  Return FALSE to stop. */
typedef gboolean (*SpRecallFunc) (const char *key, const char *value, gpointer data);

typedef struct {
  gsize size;

  /* Options of this instance, checked, with fallbacks.  NULL or 0 where absent.  The host's. */
  const char *(*config_string) (SpHost *host, const char *key);
  gint64 (*config_int) (SpHost *host, const char *key); /* also BOOL, DURATION (ms), SIZE (bytes) */
  const char *const *(*config_list) (SpHost *host, const char *key); /* never NULL */
  GBytes *(*config_secret) (SpHost *host, const char *key); /* wiped on its last unref; unref it */

  const char *(*instance) (SpHost *host);  /* the name in the config file: [notify NAME] */
  const char *(*state_dir) (SpHost *host); /* a folder of the plugin's own; exists; 0700 */

  /* The ids of the approvers who have one for this instance.  The host's, NULL-terminated. */
  const char *const *(*people) (SpHost *host);

  /* Small durable state, sealed in the vault's store; so a notifier needs no file.  Keys up to 128
   * bytes, values up to 8 KiB, 4096 keys.  remember(): durable on TRUE; @value NULL forgets. */
  char *(*recall) (SpHost *host, const char *key);
  void (*recall_each) (SpHost *host, const char *prefix, SpRecallFunc each, gpointer data);
  gboolean (*remember) (SpHost *host, const char *key, const char *value, GError **error);

  /* The instance can't do its work (@why), or can again (NULL).  Shown in health. */
  void (*broken) (SpHost *host, const GError *why);
  /* Something that a person should look into; goes to the audit log.  Rate limited. */
  void (*alarm) (SpHost *host, const char *what);

  /* A person has answered.  @ret_text, if not NULL: a sentence for that person, to be freed. */
  SpAnswerResult (*answer) (SpHost *host, const SpAnswer *answer, char **ret_text);

  /* The one bounded JSON reader; see secret-proxy/json.h. */
  SpJsonNode *(*json_read) (const char *text, gsize length, guint32 flags, GError **error);

  /* What a long call is doing now, for people who wait: a short sentence. */
  void (*progress) (SpHost *host, const char *what);
  /* The machine @id changed its state by itself: the core inspects it. */
  void (*vm_changed) (SpHost *host, const char *id);

  /* A listed person asks something of the vault itself.  @command: "help", "status", "pending", "grants", "lock";
   * the core knows which there are.  @ret_text, if not NULL: what to tell that person, lines of plain text;
   * to be freed.  TAKEN: done; NOT_ALLOWED: not to this person; UNKNOWN: no such command; TRY_AGAIN. */
  SpAnswerResult (*command) (SpHost *host, const char *person, const char *command,
                             const char *evidence, char **ret_text);
} SpHostApi;

struct _SpHost {
  const SpHostApi *api;
};

/* True where the running core is new enough to offer @member. */
#define SP_HOST_HAS(host, member) \
  ((host)->api->size >= G_STRUCT_OFFSET (SpHostApi, member) + sizeof ((host)->api->member))

static inline const char *
sp_config_string (SpHost *host, const char *key)
{
  return host->api->config_string (host, key);
}

static inline gint64
sp_config_int (SpHost *host, const char *key)
{
  return host->api->config_int (host, key);
}

static inline SpAnswerResult
sp_answer (SpHost *host, const SpAnswer *answer, char **ret_text)
{
  return host->api->answer (host, answer, ret_text);
}

/* ---- the description --------------------------------------------------------------------------- */

typedef struct _SpNotifierOps SpNotifierOps;
typedef struct _SpStoreOps SpStoreOps;
typedef struct _SpVmOps SpVmOps;

typedef enum {
  SP_KIND_NOTIFIER = 1, /* files and config words: notify */
  SP_KIND_STORE,        /* store */
  SP_KIND_VM,           /* vm */
} SpKind;

typedef struct {
  /* Filled in by the macro. */
  guint32 abi;
  guint32 kind;
  gsize size;
  gsize option_size;
  guint32 ops_abi;
  gsize ops_size;
  gconstpointer ops;

  /* Filled in by the author. */
  const char *name; /* "file", in notify-file.so: lower case, digits, dashes */
  const char *version;
  const char *summary; /* one line */
  const SpOption *options;
  gsize n_options;

  /* Take the checked options and make an instance.  No network, no threads. */
  gpointer (*open) (SpHost *host, GError **error);
  /* Connect.  Unset: nothing to do. */
  gboolean (*start) (gpointer self, GCancellable *cancellable, GError **error);
  /* Undo start; at most 2 seconds.  A second one finds nothing to do.  Unset: nothing to do. */
  void (*stop) (gpointer self);
  /* Free what open made.  Also called after a failed start. */
  void (*close) (gpointer self);
} SpPlugin;

#define SP_PLUGIN_SYMBOL "sp_plugin"
typedef const SpPlugin *(*SpPluginFunc) (void);

#define SP_OPTIONS(table) .options = (table), .n_options = G_N_ELEMENTS (table)

#define SP_PLUGIN_DEFINE_(kind_, ops_, ops_abi_, ...) \
  G_BEGIN_DECLS \
  G_MODULE_EXPORT const SpPlugin *sp_plugin (void); \
  G_END_DECLS \
  const SpPlugin *sp_plugin (void) \
  { \
    static const SpPlugin plugin = { .abi = SP_PLUGIN_ABI, \
                                     .kind = (kind_), \
                                     .size = sizeof (SpPlugin), \
                                     .option_size = sizeof (SpOption), \
                                     .ops_abi = (ops_abi_), \
                                     .ops_size = sizeof *(ops_), \
                                     .ops = (ops_), \
                                     __VA_ARGS__ }; \
    return &plugin; \
  }

G_END_DECLS
