/* notifiers.c - notifiers.h
 *
 *      start --> runs --(socket ended, plugin.end, plugin.kill, keeper gone)--> ending --> gone: plugin.end
 *
 * In "ending" the tunnel is gone; a process that does not end by itself is killed.
 */
#include "host/resident/notifiers.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/option.h"
#include "base/problem.h"
#include "base/tunnel.h"
#include "host/plugin-spawn.h"
#include "host/resident/notifier-place.h"
#include "plugin/find.h"
#include "plugin/given.h"
#include "plugin/host.h"

#define GRACE_MS 4000u
#define MAX_RUN 64u

struct _SpNotifiers {
  SpNotifiersSetup setup;
  GMainContext *context;
  GCancellable *cancellable; /* cancelled when this is freed */
  char *place;               /* NULL: nothing was started yet */
  GPtrArray *all;            /* Hosted */
};

typedef struct {
  SpNotifiers *notifiers;
  char *run, *name;
  GSubprocess *process;
  SpTunnel *tunnel; /* NULL: it is ending */
  GSource *grace;
  gboolean silent; /* the keeper that asked for it is no more */
} Hosted;

static void
hosted_free (gpointer data)
{
  Hosted *hosted = data;

  sp_tunnel_free (hosted->tunnel);
  if (hosted->grace != NULL)
    g_source_destroy (hosted->grace);
  g_clear_pointer (&hosted->grace, g_source_unref);
  g_clear_object (&hosted->process);
  g_free (hosted->run);
  g_free (hosted->name);
  g_free (hosted);
}

/* ---- what the keeper is told ------------------------------------------------------------------------- */

static void
tell (SpNotifiers *notifiers, const char *method, const char *run, SpSecret *bytes, gint64 allowed,
      const char *why)
{
  g_autoptr (SpRpcMessage) message = sp_rpc_message_new (NULL, method);
  JsonObject *params = json_node_get_object (message->params);

  json_object_set_string_member (params, "run", run);
  if (allowed > 0)
    json_object_set_int_member (params, "bytes", allowed);
  if (why != NULL)
    json_object_set_string_member (params, "why", why);
  message->secret = bytes ? sp_secret_ref (bytes) : NULL;
  notifiers->setup.tell (message, notifiers->setup.data);
}

static void
tell_of (Hosted *hosted, const char *method, SpSecret *bytes, gint64 allowed, const char *why)
{
  if (!hosted->silent)
    tell (hosted->notifiers, method, hosted->run, bytes, allowed, why);
}

/* ---- the end of a process ------------------------------------------------------------------------------ */

static gboolean
on_grace_over (gpointer data)
{
  g_subprocess_force_exit (((Hosted *) data)->process);
  return G_SOURCE_REMOVE;
}

/* Its link is closed, so it stops by itself if it can. */
static void
let_stop (Hosted *hosted)
{
  g_clear_pointer (&hosted->tunnel, sp_tunnel_free);
  if (hosted->grace != NULL)
    return;
  hosted->grace = g_timeout_source_new (GRACE_MS);
  g_source_set_callback (hosted->grace, on_grace_over, hosted, NULL);
  g_source_attach (hosted->grace, hosted->notifiers->context);
}

static void
on_process_ended (GObject *object, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) cancelled = NULL;
  g_autofree char *why = NULL;
  Hosted *hosted = data;

  /* Where it was cancelled @data is no more. */
  if (!g_subprocess_wait_finish (G_SUBPROCESS (object), result, &cancelled))
    return;
  why = sp_plugin_host_why_ended (g_subprocess_get_status (hosted->process));
  tell_of (hosted, "plugin.end", NULL, 0, why);
  (void) g_ptr_array_remove_fast (hosted->notifiers->all, hosted);
}

/* ---- the tunnel ------------------------------------------------------------------------------------------- */

static void
on_bytes (SpSecret *bytes, gpointer data)
{
  tell_of (data, "plugin.data", bytes, 0, NULL);
}

static void
on_allow (guint bytes, gpointer data)
{
  tell_of (data, "plugin.allow", NULL, bytes, NULL);
}

static void
on_socket_ended (gpointer data)
{
  let_stop (data);
}

static const SpTunnelEvents tunnel_events = { on_bytes, on_allow, on_socket_ended };

/* ---- starting ------------------------------------------------------------------------------------------------ */

/* Without `run-as` root gives it a user that nothing else has. */
static gboolean
find_user (SpNotifiers *notifiers, const SpConfigInstance *instance, SpUser *user, GError **error)
{
  g_autofree char *purpose =
      g_strdup_printf ("notify/%s/%s", notifiers->setup.vault_id, instance->name);

  if (instance->run_as != NULL)
    return sp_user_find (instance->run_as, user, error);
  user->uid = sp_user_for (purpose);
  user->gid = geteuid () == 0 ? user->uid : getegid ();
  return TRUE;
}

static gboolean
make_place (SpNotifiers *notifiers, const char *name, const SpUser *user, GError **error)
{
  g_autofree char *folder = g_strconcat ("notify-", name, NULL);

  if (notifiers->place == NULL)
    notifiers->place =
        sp_notifier_place_make (notifiers->setup.path, notifiers->setup.vault_id, error);
  return notifiers->place != NULL &&
         (geteuid () != 0 || sp_notifier_place_give (notifiers->place, folder, user, error));
}

/* a{say}, floating, in locked memory until it is written into the pipe. */
static GVariant *
fetch_secrets (const SpConfigInstance *instance, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{say}"));
  GVariantIter iter;
  const char *option, *place;

  g_variant_iter_init (&iter, instance->secrets);
  while (g_variant_iter_next (&iter, "{&s&s}", &option, &place)) {
    g_autoptr (SpSecret) secret = sp_secret_fetch (place, error);
    g_autoptr (GBytes) bytes = secret ? sp_secret_to_bytes (secret) : NULL;

    if (bytes == NULL) {
      g_prefix_error (error, "%s: ", option);
      return NULL;
    }
    g_variant_builder_add (&builder, "{s@ay}", option,
                           g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
  }
  return g_variant_builder_end (&builder);
}

/* The pipe with all that it is to be; -1 on failure. */
static int
write_given (SpNotifiers *notifiers, const SpConfigInstance *instance, GError **error)
{
  g_autofree char *dir = notifiers->setup.plugin_dir ? g_strdup (notifiers->setup.plugin_dir)
                                                     : sp_plugin_default_dir ();
  g_autofree char *path = sp_plugin_find (dir, instance->kind, instance->plugin, error);
  GVariant *secrets = path ? fetch_secrets (instance, error) : NULL;
  const SpPluginSetup setup = { .kind = SP_KIND_NOTIFIER,
                                .instance = instance->name,
                                .path = path,
                                .options = instance->options,
                                .secrets = secrets };

  return secrets != NULL ? sp_plugin_given_write (&setup, error) : -1;
}

static GSubprocess *
spawn (SpNotifiers *notifiers, const SpConfigInstance *instance, int *ret_fd, GError **error)
{
  g_auto (SpUser) user = { .groups = NULL };
  SpPluginSpawn how = { .user = &user };
  GSubprocess *process;
  int pair[2];

  if (!find_user (notifiers, instance, &user, error) ||
      !make_place (notifiers, instance->name, &user, error))
    return NULL;
  how.state = notifiers->place;
  how.given_fd = write_given (notifiers, instance, error);
  if (how.given_fd < 0)
    return NULL;
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    (void) close (how.given_fd);
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTERNAL, "cannot make a socket pair: %s",
                 g_strerror (errno));
    return NULL;
  }
  how.link_fd = pair[1];
  process = sp_plugin_spawn (&how, error);
  if (process != NULL)
    *ret_fd = pair[0];
  else
    (void) close (pair[0]);
  return process;
}

static gboolean
is_running (SpNotifiers *notifiers, const char *name)
{
  for (guint i = 0; i < notifiers->all->len; i++)
    if (g_str_equal (((Hosted *) g_ptr_array_index (notifiers->all, i))->name, name))
      return TRUE;
  return FALSE;
}

static gboolean
start (SpNotifiers *notifiers, const char *name, const char *run, GError **error)
{
  const SpConfigInstance *instance = notifiers->setup.find (name, notifiers->setup.data);
  GSubprocess *process;
  Hosted *hosted;
  int fd;

  if (instance == NULL || is_running (notifiers, name)) {
    g_set_error (error, SP_PROBLEM, instance ? SP_PROBLEM_CONFLICT : SP_PROBLEM_NOT_FOUND,
                 instance ? "its process before is still ending"
                          : "the host has no such notifier with 'where = host'");
    return FALSE;
  }
  process = spawn (notifiers, instance, &fd, error);
  if (process == NULL)
    return FALSE;
  hosted = g_new0 (Hosted, 1);
  hosted->notifiers = notifiers;
  hosted->name = g_strdup (name);
  hosted->run = g_strdup (run);
  hosted->process = process;
  g_ptr_array_add (notifiers->all, hosted);
  g_subprocess_wait_async (process, notifiers->cancellable, on_process_ended, hosted);
  hosted->tunnel = sp_tunnel_new (fd, &tunnel_events, hosted);
  tell_of (hosted, "plugin.started", NULL, 0, NULL);
  return TRUE;
}

/* ---- what the keeper asks for ------------------------------------------------------------------------------- */

static void
take_start (SpNotifiers *notifiers, JsonObject *params, const char *run)
{
  g_autoptr (GError) error = NULL;
  const char *name = NULL;

  if (!sp_json_get_string (params, "notifier", &name, NULL) || name == NULL || !sp_is_name (name))
    return;
  if (!start (notifiers, name, run, &error))
    tell (notifiers, "plugin.end", run, NULL, 0, error->message);
}

static void
take_data (Hosted *hosted, const SpRpcMessage *message)
{
  if (hosted->tunnel != NULL && message->secret != NULL &&
      !sp_tunnel_take (hosted->tunnel, message->secret))
    let_stop (hosted);
}

static void
take_allow (Hosted *hosted, const SpRpcMessage *message)
{
  gint64 bytes = -1;

  (void) sp_json_get_int (json_node_get_object (message->params), "bytes", &bytes, NULL);
  if (hosted->tunnel != NULL && !sp_tunnel_allowed (hosted->tunnel, bytes))
    let_stop (hosted);
}

static void
take_end (Hosted *hosted, const SpRpcMessage *message)
{
  let_stop (hosted);
}

static void
take_kill (Hosted *hosted, const SpRpcMessage *message)
{
  let_stop (hosted);
  g_subprocess_force_exit (hosted->process);
}

static Hosted *
find_run (SpNotifiers *notifiers, const char *run)
{
  for (guint i = 0; i < notifiers->all->len; i++) {
    Hosted *hosted = g_ptr_array_index (notifiers->all, i);

    if (!hosted->silent && g_str_equal (hosted->run, run))
      return hosted;
  }
  return NULL;
}

void
sp_notifiers_take (SpNotifiers *notifiers, const SpRpcMessage *message)
{
  static const struct {
    const char *method;
    void (*take) (Hosted *hosted, const SpRpcMessage *message);
  } takers[] = { { "plugin.data", take_data },
                 { "plugin.allow", take_allow },
                 { "plugin.end", take_end },
                 { "plugin.kill", take_kill } };
  JsonObject *params = json_node_get_object (message->params);
  const char *run = NULL;
  Hosted *hosted;

  if (!sp_json_get_string (params, "run", &run, NULL) || run == NULL || strlen (run) > MAX_RUN)
    return;
  hosted = find_run (notifiers, run);
  if (hosted == NULL && g_str_equal (message->method, "plugin.start"))
    take_start (notifiers, params, run);
  for (gsize i = 0; hosted != NULL && i < G_N_ELEMENTS (takers); i++)
    if (g_str_equal (message->method, takers[i].method)) {
      takers[i].take (hosted, message);
      return;
    }
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

void
sp_notifiers_stop (SpNotifiers *notifiers)
{
  for (guint i = 0; i < notifiers->all->len; i++) {
    Hosted *hosted = g_ptr_array_index (notifiers->all, i);

    hosted->silent = TRUE;
    let_stop (hosted);
  }
}

SpNotifiers *
sp_notifiers_new (const SpNotifiersSetup *setup)
{
  SpNotifiers *notifiers = g_new0 (SpNotifiers, 1);

  notifiers->setup = *setup;
  notifiers->setup.path = g_strdup (setup->path);
  notifiers->setup.vault_id = g_strdup (setup->vault_id);
  notifiers->setup.plugin_dir = g_strdup (setup->plugin_dir);
  notifiers->context = g_main_context_ref_thread_default ();
  notifiers->cancellable = g_cancellable_new ();
  notifiers->all = g_ptr_array_new_with_free_func (hosted_free);
  return notifiers;
}

void
sp_notifiers_free (SpNotifiers *notifiers)
{
  if (notifiers == NULL)
    return;
  g_cancellable_cancel (notifiers->cancellable);
  g_object_unref (notifiers->cancellable);
  sp_notifiers_stop (notifiers);
  for (guint i = 0; i < notifiers->all->len; i++)
    sp_plugin_see_off (((Hosted *) g_ptr_array_index (notifiers->all, i))->process);
  g_ptr_array_unref (notifiers->all);
  if (notifiers->place != NULL)
    sp_notifier_place_tidy (notifiers->place);
  g_free (notifiers->place);
  g_main_context_unref (notifiers->context);
  g_free ((char *) notifiers->setup.path);
  g_free ((char *) notifiers->setup.vault_id);
  g_free ((char *) notifiers->setup.plugin_dir);
  g_free (notifiers);
}
