/* service.c - service.h: what it begins with, the life of what it runs, and who starts it again
 *
 * What must stay true: one resident process for each vault; when it ends, however it ends, nothing of it
 * runs on; a vault that never worked is not tried for ever.
 */
#include "host/resident/service.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/problem.h"
#include "host/resident/admin-socket.h"
#include "host/resident/service-private.h"
#include "sp-build.h"

#define CONFIG "secret-proxy.conf"
#define FIRST_BACKOFF_MS 100u
#define LAST_BACKOFF_MS 5000u
#define MARKS_KEY_LENGTH 32u
#define HEALTHY_US (60 * G_USEC_PER_SEC)

void
sp_service_free (SpService *service)
{
  if (service == NULL)
    return;
  g_clear_handle_id (&service->again, g_source_remove);
  sp_resident_free (service->resident);
  sp_notifiers_free (service->notifiers);
  sp_anchor_free (service->anchor);
  sp_host_keys_free (service->keys);
  g_clear_pointer (&service->marks_key, sp_secret_unref);
  g_clear_pointer (&service->apply, sp_service_apply_free);
  sp_config_vault_free (service->vault);
  g_clear_pointer (&service->configs, g_ptr_array_unref);
  g_clear_pointer (&service->own_store.options, g_variant_unref);
  g_clear_pointer (&service->own_store.secrets, g_variant_unref);
  sp_plugin_catalog_free (service->catalog);
  if (service->lock >= 0)
    (void) close (service->lock);
  if (service->folder >= 0)
    (void) close (service->folder);
  g_clear_pointer (&service->loop, g_main_loop_unref);
  g_clear_error (&service->error);
  g_free (service->path);
  g_free (service->plugin_dir);
  g_free (service->own_config);
  g_free (service->config_file);
  g_clear_pointer (&service->measurement, json_object_unref);
  g_free (service->acceleration);
  g_free (service->trust);
  g_free (service->image);
  g_free (service->statement);
  g_free (service->signature);
  g_free (service->url);
  g_free (service);
}

/* ---- what it begins with -------------------------------------------------------------------------- */

SpConfig *
sp_service_read (const char *own, const char *given, const char *built_in, SpPluginCatalog *catalog,
                 GError **error)
{
  if (given != NULL)
    return sp_config_read (given, sp_plugin_catalog_describe, catalog, error);
  if (access (own, F_OK) == 0)
    return sp_config_read (own, sp_plugin_catalog_describe, catalog, error);
  if (built_in == NULL)
    return sp_config_read (NULL, sp_plugin_catalog_describe, catalog, error);
  return sp_config_parse ("(built in)", built_in, strlen (built_in), sp_plugin_catalog_describe,
                          catalog, error);
}

/* @plugin is a constant. */
static void
replace_store (SpService *service, const char *plugin)
{
  SpConfigInstance *store = &service->own_store;

  store->kind = "store";
  store->name = store->plugin = plugin;
  store->options = g_variant_ref_sink (g_variant_new ("a{ss}", NULL));
  store->secrets = g_variant_ref_sink (g_variant_new ("a{ss}", NULL));
  store->critical = TRUE;
  service->vault->store = store;
}

static gboolean
open_config (SpService *service, const SpServiceSetup *setup, GError **error)
{
  const SpConfigVault *vault;
  const char *const *warnings;

  service->own_config = g_build_filename (service->path, CONFIG, NULL);
  if (setup->config != NULL)
    service->config_file = g_canonicalize_filename (setup->config, NULL);
  else if (access (service->own_config, F_OK) == 0)
    service->config_file = g_strdup (service->own_config);
  service->built_in = setup->built_in;
  service->tls_optional = setup->tls_optional;
  service->plugin_dir =
      setup->plugin_dir ? g_canonicalize_filename (setup->plugin_dir, NULL) : NULL;
  service->catalog = sp_plugin_catalog_new (service->plugin_dir);
  service->config = sp_service_read (service->own_config, service->config_file, service->built_in,
                                     service->catalog, error);
  if (service->config == NULL)
    return FALSE;
  g_ptr_array_add (service->configs, service->config);
  for (warnings = sp_config_warnings (service->config); *warnings != NULL; warnings++)
    g_printerr ("secret-proxy: %s\n", *warnings);
  vault = sp_config_vault (service->config, setup->vault, error);
  if (vault == NULL)
    return FALSE;
  service->vault = sp_config_vault_copy (vault);
  if (setup->store != NULL)
    replace_store (service, setup->store);
  service->tls_required = vault->tls_required && (vault->tls_given || !setup->tls_optional);
  return TRUE;
}

static gboolean
open_folder (SpService *service, const char *dir, gboolean make, GError **error)
{
  service->path = g_canonicalize_filename (dir, NULL);
  if (!make && access (service->path, F_OK) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND, "there is no vault in %s", service->path);
    return FALSE;
  }
  service->folder = sp_file_open_folder (service->path, error);
  if (service->folder < 0)
    return FALSE;
  service->lock = sp_admin_lock (service->folder, error);
  return service->lock >= 0;
}

static gboolean
open_keys (SpService *service, gboolean make, GError **error)
{
  const char *master_key = service->vault->master_key;

  service->keys = make ? sp_host_keys_open (service->folder, master_key, error)
                       : sp_host_keys_read (service->folder, master_key, error);
  if (service->keys == NULL)
    return FALSE;
  service->marks_key = sp_secret_new_random (MARKS_KEY_LENGTH);
  service->anchor = sp_anchor_open (service->folder, error);
  return service->anchor != NULL;
}

SpService *
sp_service_open (const SpServiceSetup *setup, const SpServiceBackend *backend, gpointer data,
                 GError **error)
{
  g_autoptr (SpService) service = g_new0 (SpService, 1);
  int listener;

  service->folder = service->lock = -1;
  service->configs = g_ptr_array_new_with_free_func ((GDestroyNotify) sp_config_free);
  service->backoff_ms = FIRST_BACKOFF_MS;
  service->backend = *backend;
  service->data = data;
  service->loop = g_main_loop_new (NULL, FALSE);
  if (!open_folder (service, setup->dir, setup->make_keys, error) ||
      !open_config (service, setup, error) || !open_keys (service, setup->make_keys, error))
    return NULL;
  service->notifiers = sp_service_notifiers_new (service);
  service->resident = sp_service_resident_new (service);
  listener = sp_admin_listen (service->folder, error);
  if (listener < 0)
    return NULL;
  sp_resident_listen (service->resident, listener);
  return g_steal_pointer (&service);
}

/* ---- trying again ------------------------------------------------------------------------------------------ */

void
sp_service_finish (SpService *service, const GError *error)
{
  if (service->error == NULL && error != NULL)
    service->error = g_error_copy (error);
  g_clear_handle_id (&service->again, g_source_remove);
  if (service->stopping)
    return;
  service->stopping = TRUE;
  if (service->running)
    service->backend.stop (service->data);
  else
    g_main_loop_quit (service->loop);
}

void
sp_service_try_later (SpService *service, GSourceFunc func)
{
  if (service->stopping)
    return;
  g_clear_handle_id (&service->again, g_source_remove);
  service->again = g_timeout_add (service->backoff_ms, func, service);
  service->backoff_ms = MIN (service->backoff_ms * 2, LAST_BACKOFF_MS);
}

/* ---- what it runs ------------------------------------------------------------------------------------------- */

static gboolean
start (SpService *service, GError **error)
{
  service->started_us = g_get_monotonic_time ();
  service->running = service->backend.start (service->data, error);
  return service->running;
}

static gboolean
start_again (gpointer data)
{
  SpService *service = data;
  g_autoptr (GError) error = NULL;

  service->again = 0;
  if (!start (service, &error)) {
    g_printerr ("secret-proxy: %s\n", error->message);
    sp_service_try_later (service, start_again);
  }
  return G_SOURCE_REMOVE;
}

void
sp_service_attach (SpService *service, int fd, const char *url)
{
  g_free (service->url);
  service->url = g_strdup (url);
  sp_resident_attach (service->resident, fd);
}

void
sp_service_detach (SpService *service)
{
  sp_resident_detach (service->resident);
}

void
sp_service_shut_down (SpService *service)
{
  sp_resident_shut_down (service->resident);
}

void
sp_service_ended (SpService *service, const GError *error)
{
  service->running = FALSE;
  sp_resident_detach (service->resident);
  if (service->stopping || !service->ready) {
    if (!service->stopping && error != NULL)
      service->error = g_error_copy (error);
    g_main_loop_quit (service->loop);
    return;
  }
  if (g_get_monotonic_time () - service->started_us > HEALTHY_US)
    service->backoff_ms = FIRST_BACKOFF_MS;
  g_printerr ("secret-proxy: %s; starting it again\n", error->message);
  sp_service_try_later (service, start_again);
}

/* ---- the whole ---------------------------------------------------------------------------------------------------- */

static gboolean
on_signal (gpointer data)
{
  sp_service_finish (data, NULL);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_hangup (gpointer data)
{
  SpService *service = data;

  if (service->has_terminal)
    sp_service_finish (service, NULL);
  else if (!service->stopping)
    sp_service_apply_soon (service);
  return G_SOURCE_CONTINUE;
}

/* Not one whose end is nothing to us: nohup(1) has SIGHUP ignored. */
static gboolean
has_terminal (void)
{
  struct sigaction hangup;
  int fd;

  if (sigaction (SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN)
    return FALSE;
  fd = open ("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

  if (fd >= 0)
    (void) close (fd);
  return fd >= 0;
}

/* No core dump, and no other process of this user reads our memory. */
static void
keep_keys_in_memory (void)
{
  const struct rlimit none = { 0, 0 };

  (void) setrlimit (RLIMIT_CORE, &none);
  if (SP_NOT_DUMPABLE)
    (void) prctl (PR_SET_DUMPABLE, 0);
}

gboolean
sp_service_run (SpService *service, GError **error)
{
  static const struct {
    int number;
    GSourceFunc func;
  } signals[] = { { SIGINT, on_signal }, { SIGTERM, on_signal }, { SIGHUP, on_hangup } };
  guint sources[G_N_ELEMENTS (signals)];

  keep_keys_in_memory ();
  service->has_terminal = has_terminal ();
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    sources[i] = g_unix_signal_add (signals[i].number, signals[i].func, service);
  if (start (service, &service->error))
    g_main_loop_run (service->loop);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    g_source_remove (sources[i]);
  sp_admin_unlink (service->folder);
  if (service->error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&service->error));
  return FALSE;
}

/* ---- what backends ask ------------------------------------------------------------------------------------------- */

gboolean
sp_service_is_stopping (const SpService *service)
{
  return service->stopping;
}

gboolean
sp_service_is_unlocked (const SpService *service)
{
  return sp_resident_is_unlocked (service->resident);
}

const char *
sp_service_path (const SpService *service)
{
  return service->path;
}

int
sp_service_folder (const SpService *service)
{
  return service->folder;
}

const SpConfigVault *
sp_service_vault (const SpService *service)
{
  return service->vault;
}

SpPluginCatalog *
sp_service_catalog (const SpService *service)
{
  return service->catalog;
}

const char *
sp_service_plugin_dir (const SpService *service)
{
  return service->plugin_dir;
}

const SpHostKeys *
sp_service_keys (const SpService *service)
{
  return service->keys;
}

const char *
sp_service_url (const SpService *service)
{
  return service->url;
}

char *
sp_listen_text (const char *host, int port)
{
  gboolean bare_v6 = strchr (host, ':') != NULL && *host != '[';

  return g_strdup_printf (bare_v6 ? "[%s]:%d" : "%s:%d", host, port);
}
