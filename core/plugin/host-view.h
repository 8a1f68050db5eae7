/* host-view.h - what a plugin can look up through its SpHost: its options, its name, what it has remembered
 *
 * The plugin host has it from the core, the suite of `plugin check` makes it up; a plugin must not see a
 * difference, so both answer from here.
 */
#pragma once

#include <secret-proxy/plugin.h>

typedef struct {
  SpHost host; /* first: a plugin's SpHost is this */

  /* Read only once the plugin is open. */
  char *instance, *state_dir;
  char **people;
  GHashTable *values; /* key -> SpOptionValue */

  GMutex lock;          /* of what follows */
  GHashTable *recalled; /* key -> value */
} SpHostView;

void sp_host_view_init (SpHostView *view, const SpHostApi *api);
void sp_host_view_clear (SpHostView *view);

/* Those members of SpHostApi. */
const char *sp_host_view_string (SpHost *host, const char *key);
gint64 sp_host_view_int (SpHost *host, const char *key);
const char *const *sp_host_view_list (SpHost *host, const char *key);
const char *sp_host_view_instance (SpHost *host);
const char *sp_host_view_state_dir (SpHost *host);
const char *const *sp_host_view_people (SpHost *host);
char *sp_host_view_recall (SpHost *host, const char *key);
void sp_host_view_recall_each (SpHost *host, const char *prefix, SpRecallFunc each, gpointer data);

/* Why it can't be remembered, as a clause; NULL: it can. */
const char *sp_host_view_fault (SpHostView *view, const char *key, const char *value);
/* @value NULL: forget it. */
void sp_host_view_keep (SpHostView *view, const char *key, const char *value);
