/* update-kinds.c - what is exchanged where a vault moves to another image, by what it boots: the rows of
 * update-private.h
 *
 * Of an appliance nothing but the record: it boots files of the host's image set.  Of a cloud image its own disk,
 * which is made anew, as for a takeover at `rebuilt`; what the guest has written to the one of now is not on it,
 * but for what lies on the data volume.  With its programs in a container that disk stays, where both images make
 * the same.  The key that opens the machine stays, as its private half never left the host; the machine's own key
 * is made anew with the disk, since nothing but that has the old one.
 */
#include <unistd.h>

#include "base/config.h"
#include "base/problem.h"
#include "host/appliance/image-set.h"
#include "host/vm/cloud-vault.h"
#include "host/vm/room.h"
#include "host/vm/update-private.h"
#include "plugin/info.h"

/* Of an image that has lost its manifest. */
#define NO_VERSION "0"

void
sp_update_image_free (SpUpdateImage *image)
{
  if (image == NULL)
    return;
  g_free (image->id);
  g_free (image->version);
  sp_cloud_image_free (image->cloud);
  g_free (image);
}

static SpUpdateImage *
image_new (const char *id, const char *version)
{
  SpUpdateImage *image = g_new0 (SpUpdateImage, 1);

  image->id = g_strdup (id);
  image->version = g_strdup (version);
  return image;
}

/* ---- an appliance ----------------------------------------------------------------------------------------- */

static SpUpdateImage *
find_appliance (const SpUpdate *update, const char *id, GError **error)
{
  g_autoptr (SpImageSet) set = sp_image_set_find (update->state, id, error);

  return set ? image_new (set->id, set->version) : NULL;
}

static SpUpdateImage *
find_known_appliance (const SpUpdate *update, const SpVaultRecord *of, const char *id,
                      GError **error)
{
  return find_appliance (update, id, error);
}

static gboolean
check_appliance (SpUpdate *update, GError **error)
{
  if (!update->options->new_disk)
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                       "--new-disk is for vaults of a cloud image: an appliance has no disk of its "
                       "own but the one with the data");
  return FALSE;
}

/* ---- a cloud image ------------------------------------------------------------------------------------------ */

/* Where none is named it is one of the same runtime, for a machine with an engine is another one. */
static char *
newest_like (const SpUpdate *update, GError **error)
{
  SpCloudRuntime runtime = update->record->container ? SP_CLOUD_IN_CONTAINER : SP_CLOUD_SERVICE;
  char *id = sp_cloud_image_newest (update->state, NULL, runtime);

  if (id == NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_NOT_FOUND,
                 "this host has no cloud image of the vault's runtime, %s: make one with "
                 "'secret-proxy image build --cloud … --runtime %s', or name another with --image",
                 sp_cloud_runtime_names[runtime], sp_cloud_runtime_names[runtime]);
  return id;
}

/* Also by the name of its base, as `create` takes it. */
static char *
find_id (const SpUpdate *update, const char *given, GError **error)
{
  char *named = given ? sp_cloud_image_named (update->state, given) : NULL;

  if (given == NULL)
    return newest_like (update, error);
  return named != NULL ? named : g_strdup (given);
}

static SpUpdateImage *
find_cloud (const SpUpdate *update, const char *given, GError **error)
{
  g_autofree char *id = find_id (update, given, error);
  g_autoptr (SpCloudImage) cloud =
      id != NULL ? sp_cloud_image_find (update->state, id, error) : NULL;
  SpUpdateImage *image;

  if (cloud == NULL)
    return NULL;
  image = image_new (cloud->id, cloud->version);
  image->cloud = g_steal_pointer (&cloud);
  return image;
}

/* It boots its disk, for which nothing of the image is needed but the archive, where there is one. */
static SpUpdateImage *
find_known_cloud (const SpUpdate *update, const SpVaultRecord *of, const char *id, GError **error)
{
  g_autofree char *version = sp_image_folder_version (update->state, id);
  SpImagePart archive = { 0 };
  gboolean ok = !of->container || sp_cloud_image_container (update->state, id, &archive, error);

  sp_image_part_clear (&archive);
  return ok ? image_new (id, version ? version : NO_VERSION) : NULL;
}

/* Where the programs are in a container a machine that is made of the same otherwise need not be made anew. */
static gboolean
has_same_machine (const SpUpdate *update)
{
  const SpVaultRecord *now = update->record;
  const SpCloudImage *cloud = update->image->cloud;

  return now->container && cloud->runtime == SP_CLOUD_IN_CONTAINER &&
         g_str_equal (now->base, cloud->base.sha256) &&
         g_str_equal (now->bundle, cloud->bundle_id) &&
         sp_cloud_image_has_templates (update->state, now->image, cloud);
}

/* As much as the one of now takes: it was as large as its base once. */
static gboolean
check_cloud (SpUpdate *update, GError **error)
{
  update->stays = !update->options->new_disk && has_same_machine (update);
  if (sp_image_files_taken (update->fd, SP_VAULT_SEED) == 0)
    return update->stays || sp_room_check (update->fd,
                                           MAX (sp_image_files_taken (update->fd, SP_VAULT_SYSTEM),
                                                update->image->cloud->base.size),
                                           "another system disk", "", error);
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                       "the vault's machine has not come through its first boot: 'vm start' first");
  return FALSE;
}

/* The network that its first boot is told. */
static SpVmSettings *
read_settings (const SpUpdate *update, GError **error)
{
  const SpUpdateOptions *options = update->options;
  g_autoptr (SpPluginCatalog) catalog = sp_plugin_catalog_new (options->plugin_dir);
  g_autoptr (SpConfig) config =
      sp_config_read (options->config, sp_plugin_catalog_describe, catalog, error);
  const SpConfigVault *vault = config ? sp_config_vault (config, options->vault, error) : NULL;

  if (vault != NULL && vault->vm != NULL)
    return sp_vm_settings_new (vault->vm, catalog, error);
  if (vault != NULL)
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "[vault %s] names no vm plugin: set vm = …",
                 vault->name);
  return NULL;
}

static gboolean
make_seed (const SpUpdate *update, int draft, const char *path, GError **error)
{
  g_autoptr (SpVmSettings) settings = read_settings (update, error);
  g_autofree char *login = NULL;
  g_autofree char *host_public = NULL;
  g_autoptr (SpSecret) host_key = NULL;
  SpCloudVaultKeys keys = { .machine = update->record->machine };

  if (settings == NULL || !sp_cloud_vault_read_login (update->fd, &login, error) ||
      !sp_cloud_vault_new_host_key (draft, &host_key, &host_public, error))
    return FALSE;
  keys.login = login;
  keys.host_key = host_key;
  keys.host_public = host_public;
  return sp_cloud_vault_make_seed (update->image->cloud, &keys, settings, path, error);
}

static SpVaultRecord *
origin_of (const SpCloudImage *cloud)
{
  SpVaultRecord *origin = sp_vault_record_new (cloud->id, SP_TRUST_REBUILT, NULL);

  origin->base = g_strdup (cloud->base.sha256);
  origin->bundle = g_strdup (cloud->bundle_id);
  origin->container = cloud->runtime == SP_CLOUD_IN_CONTAINER;
  return origin;
}

/* How it came to be trusted stays, too. */
static gboolean
make_nothing (SpUpdate *update, char **ret_message, gboolean *ret_skipped)
{
  update->from = SP_IMAGE_FROM_DRAFT;
  update->origin = sp_vault_record_new (update->image->id, update->record->trust, NULL);
  sp_vault_record_take_origin (update->origin, update->record);
  *ret_skipped = TRUE;
  *ret_message = g_strdup ("base, bundle and templates are those of now: the container's image is "
                           "all that is exchanged");
  return TRUE;
}

static gboolean
make_cloud (SpUpdate *update, int draft, char **ret_message, gboolean *ret_skipped, GError **error)
{
  const SpCloudImage *cloud = update->image->cloud;
  g_autofree char *path = g_build_filename (update->options->folder, SP_IMAGE_DRAFT, NULL);

  if (update->stays)
    return make_nothing (update, ret_message, ret_skipped);
  if (!make_seed (update, draft, path, error) || !sp_cloud_vault_make_system (cloud, path, error))
    return FALSE;
  update->from = SP_IMAGE_FROM_DRAFT;
  update->origin = origin_of (cloud);
  *ret_message = g_strdup_printf ("of base %s (sha256 %.12s…), with a host key of its own; what "
                                  "was added to the one of now is not on it",
                                  cloud->name, cloud->base.sha256);
  if (fsync (draft) == 0)
    return TRUE;
  g_set_error_literal (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot flush " SP_IMAGE_DRAFT);
  return FALSE;
}

/* ---- the rows ----------------------------------------------------------------------------------------------- */

const SpUpdateKind sp_update_kinds[SP_N_UPDATE_KINDS] = {
  [SP_UPDATE_APPLIANCE] = { "image build", find_appliance, find_known_appliance, check_appliance,
                            NULL },
  [SP_UPDATE_CLOUD] = { "image build --cloud", find_cloud, find_known_cloud, check_cloud,
                        make_cloud },
};

SpUpdateKindId
sp_update_kind_of (const SpVaultRecord *record)
{
  return record->base != NULL ? SP_UPDATE_CLOUD : SP_UPDATE_APPLIANCE;
}
