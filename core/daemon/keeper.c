/* keeper.c - the keeper's life: start locked, ask for a gate, serve, end with its parent */
#include "daemon/keeper.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/problem.h"
#include "base/random.h"
#include "daemon/keeper-config.h"
#include "plugin/host.h"

#define FIRST_GATE_BACKOFF_MS 50u
#define LAST_GATE_BACKOFF_MS 5000u
#define LAST_TURNS 100u
#define HEALTHY_US (20 * G_USEC_PER_SEC)

static gboolean
start_gate (gpointer data)
{
  SpKeeper *keeper = data;

  keeper->gate_timer = 0;
  (void) sp_control_send (keeper->control, SP_CONTROL_START, SP_SLOT_GATE, -1);
  return G_SOURCE_REMOVE;
}

static void
on_gate_exited (SpKeeper *keeper)
{
  if (g_get_monotonic_time () - keeper->gate_since > HEALTHY_US)
    keeper->gate_backoff_ms = FIRST_GATE_BACKOFF_MS;
  if (keeper->gate != NULL)
    sp_link_close (keeper->gate);
  g_clear_pointer (&keeper->gate, sp_link_unref);
  g_clear_handle_id (&keeper->gate_timer, g_source_remove);
  keeper->gate_timer = g_timeout_add (keeper->gate_backoff_ms, start_gate, keeper);
  keeper->gate_backoff_ms = MIN (keeper->gate_backoff_ms * 2, LAST_GATE_BACKOFF_MS);
}

static void
plugin_exited (const SpKeeperPlugin *plugin, int status)
{
  g_autofree char *why = status != SP_CONTROL_NO_STATUS ? sp_plugin_host_why_ended (status) : NULL;

  sp_plugin_client_exited_because (plugin->client, why);
}

static void
take_control (SpKeeper *keeper, const SpControl *control, int fd)
{
  SpKeeperPlugin *plugin = sp_keeper_plugin_in_slot (keeper, control->slot);

  if (control->op == SP_CONTROL_STARTED && fd >= 0 && control->slot == SP_SLOT_GATE)
    sp_keeper_attach_gate (keeper, fd);
  else if (control->op == SP_CONTROL_STARTED && fd >= 0 && plugin != NULL)
    sp_plugin_client_attach (plugin->client, fd);
  else if (fd >= 0)
    (void) close (fd);
  if (control->op != SP_CONTROL_EXITED)
    return;
  sp_keeper_slot_ended (keeper, control->slot);
  if (control->slot == SP_SLOT_GATE)
    on_gate_exited (keeper);
  else if (plugin != NULL)
    plugin_exited (plugin, control->status);
  sp_keeper_configure_go_on (keeper);
}

static gboolean
on_control (int fd, GIOCondition condition, gpointer data)
{
  SpKeeper *keeper = data;
  SpControl control;
  int passed, result;

  while ((result = sp_control_receive (fd, &control, &passed)) == 1)
    take_control (keeper, &control, passed);
  if (result == -1)
    return G_SOURCE_CONTINUE;
  keeper->control_source = 0;
  g_main_loop_quit (keeper->loop); /* the parent is gone */
  return G_SOURCE_REMOVE;
}

static gboolean
on_terminate (gpointer data)
{
  SpKeeper *keeper = data;

  g_main_loop_quit (keeper->loop);
  return G_SOURCE_CONTINUE;
}

/* Secrets are locked in memory as far as the limit allows; say so where it is small. */
static void
raise_memory_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_MEMLOCK, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  (void) setrlimit (RLIMIT_MEMLOCK, &limit);
}

/* Plugin hosts and gate stop when their links close. */
static void
clear (SpKeeper *keeper)
{
  keeper->ending = TRUE;
  sp_keeper_flush_audit_head (keeper);
  /* What is on its way to the store was promised to nobody yet, and nobody is left to hear of it. */
  if (keeper->vault != NULL && !sp_vault_is_idle (keeper->vault))
    _exit (EXIT_SUCCESS);
  g_clear_handle_id (&keeper->wake, g_source_remove);
  g_clear_handle_id (&keeper->gate_timer, g_source_remove);
  if (keeper->gate != NULL)
    sp_link_close (keeper->gate);
  g_clear_pointer (&keeper->gate, sp_link_unref);
  /* Calls to notifiers end with them, and must not begin others. */
  if (keeper->vault != NULL)
    sp_vault_stop (keeper->vault);
  sp_keeper_configure_drop (keeper);
  g_clear_pointer (&keeper->notifiers, g_ptr_array_unref);
  g_clear_pointer (&keeper->tunnels, sp_keeper_tunnels_free);
  g_clear_pointer (&keeper->store, sp_keeper_plugin_free);
  for (guint slot = 0; slot < SP_MAX_SLOTS; slot++)
    g_clear_handle_id (&keeper->killers[slot], g_source_remove);
  /* What the plugins' ends have left to do, while what they point at is still there. */
  for (guint i = 0; i < LAST_TURNS && g_main_context_iteration (NULL, FALSE); i++)
    ;
  g_clear_pointer (&keeper->vault, sp_vault_free);
  g_clear_pointer (&keeper->admin, sp_rpc_unref);
  g_clear_pointer (&keeper->config, sp_keeper_config_free);
  g_clear_pointer (&keeper->vault_key, sp_secret_unref);
  g_clear_pointer (&keeper->tls, sp_secret_unref);
  g_clear_pointer (&keeper->signature, g_bytes_unref);
  g_clear_pointer (&keeper->loop, g_main_loop_unref);
  g_free (keeper->session);
  g_free (keeper->head_hex);
  g_free (keeper->host_session);
  g_free (keeper->unlock_id);
  g_free (keeper->vault_id);
  g_free (keeper->statement);
}

int
sp_keeper_run (int control_fd, int admin_fd)
{
  SpKeeper keeper = { .control = control_fd,
                      .owned = admin_fd >= 0,
                      .gate_backoff_ms = FIRST_GATE_BACKOFF_MS };

  raise_memory_limit ();
  keeper.loop = g_main_loop_new (NULL, FALSE);
  keeper.session = sp_random_id (12);
  keeper.notifiers = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_keeper_plugin_free);
  sp_keeper_fill_ports (&keeper);
  keeper.tunnels = sp_keeper_tunnels_new (sp_keeper_tell_host, sp_keeper_hosted_ended, &keeper);
  keeper.control_source = g_unix_fd_add (control_fd, G_IO_IN | G_IO_HUP, on_control, &keeper);
  g_unix_signal_add (SIGTERM, on_terminate, &keeper);
  if (admin_fd >= 0)
    sp_keeper_admin_start (&keeper, admin_fd);
  (void) start_gate (&keeper);
  g_main_loop_run (keeper.loop);
  g_clear_handle_id (&keeper.control_source, g_source_remove);
  clear (&keeper);
  return EXIT_SUCCESS;
}
