/* verb.c - the verbs as a monitor knows them, and what it says where they work
 *
 * What must stay true: an argument is checked before it becomes part of a command line; nothing in it
 * can end the line or add a word.
 */
#include <string.h>

#include "host/monitor/private.h"

#define MAX_NAME 48u
#define PORT 3737 /* of the vault, inside */
/* The network device that a provisioned VM has. */
#define NETDEV "net0"

/* Not of digits alone, which would be the number of another snapshot. */
static gboolean
is_snapshot (const char *name)
{
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  gsize length = strlen (name);

  return length <= MAX_NAME && strspn (name, allowed) == length && g_ascii_islower (*name);
}

static gboolean
is_address (const char *text)
{
  const char *colon = strrchr (text, ':');
  g_autofree char *host = colon ? g_strndup (text, (gsize) (colon - text)) : NULL;
  g_autoptr (GInetAddress) address = host ? g_inet_address_new_from_string (host) : NULL;

  return address != NULL && g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV4 &&
         g_ascii_string_to_unsigned (colon + 1, 10, 1, 65535, NULL, NULL);
}

/* A human monitor can't have the machine stay when its guest powers off.  QEMU looks at its own `-action
 * shutdown` then, and of all commands only QMP's set-action changes that: watchdog_action is of another event, no
 * object has it as a property (qom-set), and no monitor can be added to a machine that runs.  To ask for a power-off
 * and to `stop` before it comes about would be a race, whose loser is a disk that was not written. */
static const SpMonitorVerbRow rows[SP_MONITOR_N_VERBS] = {
  [SP_MONITOR_SAVE] = { .before = "savevm ",
                        .after = "",
                        .argument = is_snapshot,
                        .advice = "start the agent's VM with one writable qcow2 disk, and no other "
                                  "that it can write to" },
  [SP_MONITOR_FORGET] = { .before = "delvm ",
                          .after = "",
                          .argument = is_snapshot,
                          .advice =
                              "the checkpoint stays in the agent's own disk, where it does no "
                              "harm" },
  [SP_MONITOR_STOP] = { .before = "stop",
                        .after = "",
                        .native = "stop",
                        .advice = "end the agent's VM by other means, then start again" },
  [SP_MONITOR_GO_ON] = { .before = "cont",
                         .after = "",
                         .native = "cont",
                         .advice = "start the agent's VM again from inside the agent's" },
  [SP_MONITOR_STAY] = { .before = "set-action shutdown=pause reboot=reset",
                        .after = "",
                        .native = "set-action",
                        .arguments = "{\"shutdown\":\"pause\",\"reboot\":\"reset\"}",
                        .no_human = TRUE,
                        .advice = "the VM ends when its guest powers off" },
  [SP_MONITOR_LEAVE] = { .before = "set-action shutdown=poweroff",
                         .after = "",
                         .native = "set-action",
                         .arguments = "{\"shutdown\":\"poweroff\"}",
                         .no_human = TRUE,
                         .advice = "the VM stays, paused, when its guest powers off" },
  [SP_MONITOR_POWER_OFF] = { .before = "system_powerdown",
                             .after = "",
                             .native = "system_powerdown",
                             .ends = TRUE,
                             .advice = "shut the VM down from inside, then start again" },
  [SP_MONITOR_RESET] = { .before = "system_reset",
                         .after = "",
                         .native = "system_reset",
                         .advice = "start the agent's VM again from inside the agent's" },
  [SP_MONITOR_LOAD] = { .before = "loadvm ",
                        .after = "",
                        .argument = is_snapshot,
                        .advice = "start the agent's VM again from inside the agent's" },
  [SP_MONITOR_QUIT] = { .before = "quit",
                        .after = "",
                        .native = "quit",
                        .ends = TRUE,
                        .advice = "end its process by other means" },
  [SP_MONITOR_RELEASE] = { .before = "hostfwd_remove " NETDEV " tcp:",
                           .after = "",
                           .done_before = "host forwarding rule for tcp:",
                           .done_after = " removed",
                           .argument = is_address,
                           .advice = "the VM was not started with a network \"" NETDEV
                                     "\" that forwards this address; free the port by other "
                                     "means, or choose another one" },
  [SP_MONITOR_CLAIM] = { .before = "hostfwd_add " NETDEV " tcp:",
                         .after = "-:" G_STRINGIFY (PORT),
                         .argument = is_address,
                         .advice = "see what else uses the port" },
};

const SpMonitorVerbRow *
sp_monitor_verb_row (SpMonitorVerb verb)
{
  return &rows[verb];
}

gboolean
sp_monitor_argument_is_good (SpMonitorVerb verb, const char *argument)
{
  if (rows[verb].argument == NULL)
    return argument == NULL;
  return argument != NULL && rows[verb].argument (argument);
}

char *
sp_monitor_command_line (SpMonitorVerb verb, const char *argument)
{
  return g_strconcat (rows[verb].before, argument ? argument : "", rows[verb].after, NULL);
}

gboolean
sp_monitor_is_success (SpMonitorVerb verb, const char *argument, const char *text)
{
  g_autofree char *done = NULL;

  if (*text == 0 || rows[verb].done_before == NULL)
    return *text == 0;
  done = g_strconcat (rows[verb].done_before, argument, rows[verb].done_after, NULL);
  return g_str_equal (text, done);
}
