/* main.c - `secret-proxy`: parse, call the verb, say how it went
 *
 * What must stay true: the result, or with --json the error, is all that stdout gets; a person reads
 * the error on stderr in both cases.
 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bundle.h"
#include "base/harden.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "host/image/judge.h"
#include "host/monitor/monitor.h"
#include "plugin/check/check.h"
#include "plugin/info.h"
#include "sp-build.h"

#define DESCRIBE_FD 3

static int
report (const SpCli *cli, const GError *error)
{
  int own = cli->verb ? cli->verb->failed : 0;

  g_printerr ("secret-proxy: %s\n", error->message);
  if (sp_cli_has (cli, "json"))
    sp_print_error (error);
  return own != 0 ? own : sp_problem_exit (sp_problem_code (error));
}

static int
print_version (const SpCli *cli)
{
  if (sp_cli_has (cli, "json"))
    (void) printf ("{\"version\":\"%s\"}\n", SP_VERSION);
  else
    (void) printf ("secret-proxy %s\n", SP_VERSION);
  return 0;
}

static int
print_help (const SpCli *cli)
{
  g_autofree char *help = sp_cli_help (cli->verb);

  (void) fputs (help, stdout);
  return 0;
}

static int
run (SpCli *cli, GError **error)
{
  if (sp_cli_has (cli, "help"))
    return print_help (cli);
  if (sp_cli_has (cli, "version"))
    return print_version (cli);
  return cli->verb->run (cli, error);
}

/* The status of a run whose output was lost is not that of success. */
static int
flushed (int status)
{
  if (fflush (stdout) == 0 && !ferror (stdout))
    return status;
  g_printerr ("secret-proxy: cannot write the result\n");
  return status != 0 ? status : 1;
}

int
main (int argc, char **argv)
{
  g_autoptr (SpCli) cli = NULL;
  g_autoptr (GError) error = NULL;
  int status = 0;

  sp_hold_standard_descriptors ();
  /* Children of ours, see host/confine.h; they give up all that they have before anything else. */
  if (argc == 2 && g_str_equal (argv[1], "--monitor-child"))
    return sp_monitor_child_main ();
  if (argc >= 2 && g_str_equal (argv[1], "--image-child"))
    return sp_image_child_main (argc - 2, argv + 2);
  /* A child of ours that describes a plugin, where there is no secret-proxyd: plugin/info.h. */
  if (argc == 3 && g_str_equal (argv[1], "--describe"))
    return sp_plugin_describe_main (argv[2], DESCRIBE_FD);
  (void) setlocale (LC_ALL, "");
  sp_bundle_enter ();
  /* A child of ours that judges one point of a plugin: plugin/check/check.h. */
  if (argc == 2 && g_str_equal (argv[1], SP_CHECK_CHILD))
    return sp_plugin_check_child_main ();
  (void) signal (SIGPIPE, SIG_IGN);
  if (!sp_cli_parse (argc, argv, &cli, &error)) {
    /* Before its command line is understood a verb has no failure of its own. */
    if (cli->verb != NULL && cli->verb->failed == 0)
      return flushed (report (cli, error));
    g_printerr ("secret-proxy: %s\n", error->message);
    if (sp_cli_has (cli, "json"))
      sp_print_error (error);
    return flushed (sp_problem_exit (SP_PROBLEM_USAGE));
  }
  status = run (cli, &error);
  if (error != NULL)
    status = report (cli, error);
  return flushed (status);
}
