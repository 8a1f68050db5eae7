/* child-private.h - between child.c and call.c: the process that judges one point */
#pragma once

#include "plugin/check/case.h"

struct _SpCheck {
  GVariant *order;
  const char *path, *point, *folder;
  gboolean second, live, given, lingers;
  guint shape;
  const SpCheckCase *run;
  const SpPluginModule *module;
  SpCheckWorld *world;
  GMainContext *context; /* of the plugin's thread */
  GMainLoop *loop;       /* of the main thread */
  gboolean judged;       /* there is a verdict */
  gboolean spoiled;      /* a spoiling rule was broken */
  guint32 blamed;        /* a bit for each rule that was */

  GMutex lock; /* of what follows: calls are timed by the main thread */
  const char *call;
  guint call_number;
  gboolean uncancellable;
  GCancellable *cancellable;
  GSource *timer; /* of the main thread: the call's end */
};

/* Write one line of the report; from any thread. */
void sp_check_report (char letter, const char *text);
