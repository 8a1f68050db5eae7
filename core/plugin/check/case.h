/* case.h - what the suite is made of: points, rules, and what a point has to work with
 *
 * A point is a row of a table: a function that runs in a child of its own, on a thread that stands for the
 * plugin's.  It fails with sp_check_fail(), or is skipped with sp_check_skip(); else it has passed.
 *
 * A rule holds for every call in every point (errors, deadlines, what a plugin leaves alone).  Whatever
 * breaks one is charged to the rule, and a point that could not go on for that reason is not judged: so
 * one fault shows as one failure.
 */
#pragma once

#include "plugin/check/check.h"
#include "plugin/host-view.h"
#include "plugin/loader.h"

typedef struct _SpCheck SpCheck;

typedef void (*SpCheckRun) (SpCheck *check);

typedef enum {
  SP_CASE_GATE = 1 << 0,    /* where it fails nothing after it makes sense */
  SP_CASE_SILENT = 1 << 1,  /* only gives rules a chance: no point of its own */
  SP_CASE_KILLED = 1 << 2,  /* its first process ends by SIGKILL, and that is right */
  SP_CASE_SERVICE = 1 << 3, /* needs the service behind the plugin */
  SP_CASE_LIVE = 1 << 4,    /* only with --live */
  SP_CASE_BESIDE = 1 << 5,  /* runs beside another one only */
} SpCaseFlags;

typedef struct {
  const char *name;
  const char *what;
  const char *mend;
  SpCheckRun run;
  SpCheckRun then; /* in a second process, with the same folder; NULL: there is none */
  guint32 flags;
  guint rounds; /* how often all that, in the same folder, until it fails; 0: once */
} SpCheckCase;

typedef struct {
  guint32 kind; /* SpKind; 0: all */
  const SpCheckCase *cases;
  gsize n_cases;
} SpCheckGroup;

/* The groups in order; NULL after the last. */
const SpCheckGroup *sp_check_group (gsize i);
/* Each group stands in the file of its points. */
extern const SpCheckGroup sp_check_file_group, sp_check_description_group, sp_check_life_group,
    sp_check_contract_group, sp_check_render_group, sp_check_notify_group, sp_check_store_group,
    sp_check_durable_group, sp_check_vm_group;

typedef enum {
  SP_RULE_SURVIVES,
  SP_RULE_DEADLINE,
  SP_RULE_ERROR,
  SP_RULE_SENTENCE,
  SP_RULE_STDOUT,
  SP_RULE_UMASK,
  SP_RULE_FOLDER,
  SP_RULE_ENVIRONMENT,
  SP_RULE_SIGNALS,
  SP_RULE_LOCALE,
  SP_RULE_THREADS,
  SP_RULE_CHILDREN,
  SP_RULE_DESCRIPTORS,
  SP_RULE_KNOWN_NOTICE,
  SP_RULE_LISTED_PERSON,
  SP_N_RULES
} SpCheckRule;

typedef struct {
  const char *name, *what, *mend;
  guint32 kind;      /* SpKind; 0: all */
  gboolean spoiling; /* a call that breaks it leaves nothing to judge */
} SpCheckRuleRow;

extern const SpCheckRuleRow sp_check_rules[SP_N_RULES];

/* ---- for points: child.c ------------------------------------------------------------------------- */

/* The first verdict of a point holds. */
void sp_check_fail (SpCheck *check, const char *format, ...) G_GNUC_PRINTF (2, 3);
void sp_check_skip (SpCheck *check, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* @ok, or fail. */
#define sp_check_expect(check, ok, ...) \
  ((ok) ? TRUE : (sp_check_fail ((check), __VA_ARGS__), FALSE))
/* Charge @rule. */
void
sp_check_blame (SpCheck *check, SpCheckRule rule, const char *format, ...) G_GNUC_PRINTF (3, 4);
gboolean sp_check_has_verdict (SpCheck *check);

const char *sp_check_path (SpCheck *check);   /* of the .so */
const char *sp_check_folder (SpCheck *check); /* of this point, empty at first */
gboolean sp_check_is_live (SpCheck *check);
/* It is known to leave threads or processes behind. */
gboolean sp_check_lingers (SpCheck *check);
/* The options were made up, not given. */
gboolean sp_check_is_made_up (SpCheck *check);

/* Load the plugin; NULL and a failure where that can't be done.  The check's. */
const SpPluginModule *sp_check_load (SpCheck *check);
/* Loading as such: @ret_stage says how far it came, @error why not further. */
const SpPluginModule *sp_check_try_load (SpCheck *check, SpLoadStage *ret_stage, GError **error);

/* Kill this process, some milliseconds from now. */
void sp_check_kill_soon (SpCheck *check, guint ms);
/* Run the point @name beside this one, in another process with the same folder, and wait for it.  FALSE:
 * there is a verdict. */
gboolean sp_check_run_beside (SpCheck *check, const char *name);

/* ---- calls: call.c ------------------------------------------------------------------------------- */

#define SP_CHECK_USUAL_MS 5000u
#define SP_CHECK_PATIENCE_MS 2000u

/* Around each call of the plugin: the clock, the rules.  The cancellable is the check's; a call that
 * takes none has no more than its deadline. */
GCancellable *sp_check_enter (SpCheck *check, const char *call, guint deadline_ms);
void sp_check_enter_uncancellable (SpCheck *check, const char *call, guint deadline_ms);
/* Whether the call has succeeded; polices what it returned. */
gboolean sp_check_leave (SpCheck *check, gboolean ok, const GError *error);
/* For a call without an error. */
void sp_check_leave_plain (SpCheck *check);

/* @ok, or the point fails with @error; where the service is away and need not be there it is skipped. */
gboolean sp_check_need (SpCheck *check, const char *call, gboolean ok, const GError *error);
/* Let the plugin's sources run for as long as they have something to do, and at least so long. */
void sp_check_iterate (SpCheck *check, guint ms);

/* ---- instances: instance.c ------------------------------------------------------------------------ */

typedef struct _SpCheckInstance SpCheckInstance;

typedef enum {
  SP_FILL_LEAST, /* required options only, or what the admin gave */
  SP_FILL_ALL,   /* each option has a value */
} SpCheckFill;

struct _SpCheckInstance {
  SpHostView view; /* first: a plugin's SpHost is the first of it */
  SpCheck *check;
  const SpPluginModule *module;
  gpointer self; /* NULL: not open */
  gboolean started;
  GHashTable *secrets; /* key -> GBytes */
  /* Under the view's lock. */
  GHashTable *notices; /* id -> choices, NULL-terminated: what was posted */
  guint n_answers, next_result;
};

/* @shape: which kind of file stands behind an option that is a path; see fill.c. */
SpCheckInstance *sp_check_instance_new (SpCheck *check, const char *name, SpCheckFill fill,
                                        guint shape, GError **error);
void sp_check_instance_free (SpCheckInstance *instance); /* stops and closes */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpCheckInstance, sp_check_instance_free)

gboolean sp_check_open (SpCheckInstance *instance, GError **error);
gboolean sp_check_start (SpCheckInstance *instance, guint deadline_ms, GError **error);
void sp_check_stop (SpCheckInstance *instance);
void sp_check_close (SpCheckInstance *instance);

/* sp_check_leave() for a call whose error is the caller's to show: takes @why, and makes one up where it is
 * missing. */
gboolean sp_check_finish (SpCheckInstance *instance, gboolean ok, GError *why, GError **error);

/* An instance that is started, by the values that life/least-options found; NULL: there is a verdict. */
SpCheckInstance *sp_check_up (SpCheck *check, const char *name);
/* Which shape that is: told to later points. */
guint sp_check_shape (SpCheck *check);
void sp_check_found_shape (SpCheck *check, guint shape);

/* ---- host-api.c ------------------------------------------------------------------------------------ */
extern const SpHostApi sp_check_api;
/* From now on @notice may be answered. */
void sp_check_note_notice (SpCheckInstance *instance, const SpNotice *notice);

/* ---- fill.c ---------------------------------------------------------------------------------------- */

/* Four shapes of paths, first without and then with the secrets that need not be set. */
#define SP_CHECK_N_PATHS 4u
#define SP_CHECK_N_SHAPES (2 * SP_CHECK_N_PATHS)
/* Values for the options of @module: a{ss}; secrets go into @secrets. */
GVariant *sp_check_fill (SpCheck *check, const SpPluginModule *module, SpCheckFill fill,
                         guint shape, const char *name, GHashTable *secrets);
/* What the admin gave; NULL: nothing. */
GVariant *sp_check_given_options (SpCheck *check);
GVariant *sp_check_given_secrets (SpCheck *check);
char **sp_check_people (SpCheck *check);

/* ---- world.c: what a plugin leaves alone --------------------------------------------------------------- */

typedef struct _SpCheckWorld SpCheckWorld;

SpCheckWorld *sp_check_world_new (void);
void sp_check_world_free (SpCheckWorld *world);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpCheckWorld, sp_check_world_free)
/* Charge what has changed since, to @call; it is taken for granted from then on. */
void sp_check_world_compare (SpCheckWorld *world, SpCheck *check, const char *call);
SpCheckWorld *sp_check_world (SpCheck *check);

/* Threads of this process but those that GLib keeps for itself; names of the newest in @ret_names. */
guint sp_check_threads (char **ret_names);
guint sp_check_descriptors (void);
/* Processes that this one has started, or that were left to it, and that run. */
int sp_check_children (void);
/* End and bury all of them, and theirs. */
void sp_check_end_children (void);
