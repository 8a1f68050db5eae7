/* check.h - the conformance suite: does a shared object keep the contract of secret-proxy/plugin.h?
 *
 * Each point is judged in a process of its own, which loads the plugin and plays the core to it.  This
 * one never runs the plugin's code: a plugin that hangs, dies or prints spoils its own process only, and
 * that is what gets reported.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  const char *path;  /* of the .so */
  gboolean live;     /* services may be used, machines started */
  gboolean given;    /* options and people are the admin's; FALSE: they are made up */
  GVariant *options; /* a{ss} */
  GVariant *secrets; /* a{say} */
  GVariant *people;  /* as */
} SpCheckSetup;

typedef enum { SP_CHECK_PASSED, SP_CHECK_FAILED, SP_CHECK_SKIPPED } SpCheckVerdict;

typedef struct {
  const char *name; /* "store/order" */
  const char *what; /* what holds where it passes */
  SpCheckVerdict verdict;
  const char *text; /* lines: what is wrong, or why it was skipped; NULL where it passed */
  const char *mend; /* what to do where it failed */
} SpCheckPoint;

/* @point: while it runs. */
typedef void (*SpCheckEach) (const SpCheckPoint *point, gpointer data);

/* Judge @setup, point by point; blocks.  @ret_ok: nothing has failed.  FALSE with @error: this machine
 * does not let it be judged.  What is a child of this process, or is left to it meanwhile, is ended. */
gboolean sp_plugin_check (const SpCheckSetup *setup, SpCheckEach each, gpointer data,
                          gboolean *ret_ok, GError **error);

/* How this program is started for one point: argv[1].  The child's main(): returns its exit status. */
#define SP_CHECK_CHILD "--plugin-check-child"
int sp_plugin_check_child_main (void);
