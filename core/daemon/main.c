/* main.c - secret-proxyd: one program, a role for each process
 *
 *   secret-proxyd --listen ADDRESS:PORT --state DIR [--admin-fd N] [--first-user N]   the parent
 *   secret-proxyd --role keeper|gate|plugin-host                     what the parent starts
 *   secret-proxyd --describe PLUGIN                                  what config checks start
 */
#include <gio/gio.h>
#include <locale.h>
#include <string.h>

#include "base/bundle.h"
#include "base/harden.h"
#include "base/problem.h"
#include "daemon/gate.h"
#include "daemon/keeper.h"
#include "daemon/parent.h"
#include "plugin/host.h"
#include "plugin/info.h"
#include "sp-build.h"

/* Where a child finds what it was given. */
#define FIRST_FD 3
#define SECOND_FD 4

typedef struct {
  char *role, *listen, *state, *describe;
  gint admin_fd, first_user;
  gboolean owned, given, version;
} Options;

static void
options_clear (Options *options)
{
  g_free (options->role);
  g_free (options->listen);
  g_free (options->state);
  g_free (options->describe);
}

static int
run_keeper (const Options *options)
{
  return sp_keeper_run (FIRST_FD, options->owned ? SECOND_FD : -1);
}

static int
run_gate (const Options *options)
{
  return sp_gate_run (FIRST_FD, SECOND_FD);
}

static int
run_plugin_host (const Options *options)
{
  return sp_plugin_host_run (FIRST_FD, options->state, options->given ? SECOND_FD : -1);
}

static const struct {
  const char *role;
  const char *process;
  int (*run) (const Options *options);
} roles[] = {
  { "keeper", "sp-keeper", run_keeper },
  { "gate", "sp-gate", run_gate },
  { "plugin-host", "sp-plugin", run_plugin_host },
};

static int
run_role (const Options *options)
{
  for (gsize i = 0; i < G_N_ELEMENTS (roles); i++)
    if (g_str_equal (options->role, roles[i].role)) {
      sp_harden (roles[i].process);
      return roles[i].run (options);
    }
  g_printerr ("secret-proxyd: there is no role %s\n", options->role);
  return sp_problem_exit (SP_PROBLEM_USAGE);
}

static int
run_parent (const Options *options)
{
  const SpParentOptions parent = { .listen = options->listen,
                                   .state_dir = options->state,
                                   .admin_fd = options->admin_fd,
                                   .first_user = (uid_t) options->first_user };

  if (options->listen == NULL || options->state == NULL || !g_path_is_absolute (options->state) ||
      options->first_user < 0) {
    g_printerr ("usage: secret-proxyd --listen ADDRESS:PORT --state DIR [--admin-fd N] "
                "[--first-user N]\n");
    return sp_problem_exit (SP_PROBLEM_USAGE);
  }
  sp_harden ("secret-proxyd");
  return sp_parent_run (&parent);
}

static int
run (const Options *options)
{
  if (options->version) {
    g_print ("secret-proxyd %s\n", SP_VERSION);
    return 0;
  }
  if (options->describe != NULL)
    return sp_plugin_describe_main (options->describe, FIRST_FD);
  return options->role != NULL ? run_role (options) : run_parent (options);
}

int
main (int argc, char **argv)
{
  Options options = { .admin_fd = -1 };
  const GOptionEntry entries[] = {
    { "role", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &options.role, NULL, NULL },
    { "owned", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &options.owned, NULL, NULL },
    { "given", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &options.given, NULL, NULL },
    { "describe", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &options.describe, NULL, NULL },
    { "listen", 0, 0, G_OPTION_ARG_STRING, &options.listen, "where agents connect",
      "ADDRESS:PORT" },
    { "state", 0, 0, G_OPTION_ARG_FILENAME, &options.state, "folder of the store", "DIR" },
    { "admin-fd", 0, 0, G_OPTION_ARG_INT, &options.admin_fd, "descriptor of the admin channel",
      "N" },
    { "first-user", 0, 0, G_OPTION_ARG_INT, &options.first_user,
      "for root: run each process as a user of its own, numbered from here on", "N" },
    { "version", 0, 0, G_OPTION_ARG_NONE, &options.version, "print the version", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  int status;

  sp_hold_standard_descriptors ();
  (void) setlocale (LC_ALL, "");
  sp_bundle_enter ();
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("secret-proxyd: %s\n", error->message);
    return sp_problem_exit (SP_PROBLEM_USAGE);
  }
  status = run (&options);
  options_clear (&options);
  return status;
}
