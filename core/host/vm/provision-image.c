/* provision-image.c - what provision does for an appliance, and for a cloud image: provision-private.h */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/problem.h"
#include "host/vm/machine.h"
#include "host/vm/provision-private.h"

#define GUEST_PORT 3737u
#define GUEST_SSH 22u
/* Only while it is put onto the disks; what a run that was killed has left is removed. */
#define IMAGE "image.new"
/* ---- the appliance ------------------------------------------------------------------------------------- */

static gboolean
check_nothing (Provision *provision, GError **error)
{
  return TRUE;
}

static gboolean
open_appliance (Provision *provision, char **ret_message, GError **error)
{
  provision->image = sp_image_set_open (provision->folder, error);
  if (provision->image == NULL)
    return FALSE;
  *ret_message =
      g_strdup_printf ("%.12s…, version %s", provision->image->id, provision->image->version);
  return TRUE;
}

static gboolean
make_appliance_disk (Provision *provision, GError **error)
{
  return sp_image_set_make_disk (provision->image, provision->paths[SP_SOURCE_DISK],
                                 provision->settings->disk_size, error);
}

static gboolean
make_no_seed (Provision *provision, char **ret_message, gboolean *ret_skipped, GError **error)
{
  *ret_skipped = TRUE;
  *ret_message = g_strdup ("an appliance needs no cloud-init");
  return TRUE;
}

/* ---- the cloud image ----------------------------------------------------------------------------------- */

/* Before anything is fetched. */
static gboolean
check_cloud_tools (Provision *provision, GError **error)
{
  static const struct {
    const char *tool;
    const char *package;
  } tools[] = { { "qemu-img", "qemu-utils" }, { "genisoimage", "genisoimage" }, { "tar", "tar" } };

  for (gsize i = 0; i < G_N_ELEMENTS (tools); i++) {
    g_autofree char *path = g_find_program_in_path (tools[i].tool);

    if (path != NULL)
      continue;
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG, "there is no %s: install the package %s",
                 tools[i].tool, tools[i].package);
    return FALSE;
  }
  return TRUE;
}

static void
on_fetched (guint64 done, guint64 total, gpointer data)
{
  if (total > 0)
    g_printerr ("secret-proxy: fetched %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " MiB\n",
                done >> 20, total >> 20);
  else
    g_printerr ("secret-proxy: fetched %" G_GUINT64_FORMAT " MiB\n", done >> 20);
}

/* Of a base, with the programs of this machine. */
static SpCloudImage *
make_image (Provision *provision, GError **error)
{
  g_autofree char *folder = g_build_filename (provision->staging, IMAGE, NULL);
  SpCloudParts parts = { .templates = provision->options->templates,
                         .runtime = provision->runtime };

  if (!sp_cloud_base_get (provision->source, on_fetched, NULL, error))
    return NULL;
  sp_cloud_base_parts (provision->source, &parts);
  sp_image_set_discard (folder);
  return sp_cloud_image_make (&parts, folder, error);
}

static gboolean
open_cloud (Provision *provision, char **ret_message, GError **error)
{
  provision->cloud = provision->folder ? sp_cloud_image_open (provision->folder, error)
                                       : make_image (provision, error);
  if (provision->cloud == NULL)
    return FALSE;
  *ret_message =
      g_strdup_printf ("%s, SHA-512 %.12s…; as an image %.12s…, version %s", provision->cloud->name,
                       provision->cloud->sha512, provision->cloud->id, provision->cloud->version);
  return TRUE;
}

/* In the place of what a run that was killed has left. */
static gboolean
make_cloud_disk (Provision *provision, GError **error)
{
  const char *path = provision->paths[SP_SOURCE_DISK];

  (void) g_unlink (path);
  return sp_cloud_image_make_system (provision->cloud, path, provision->settings->disk_size, error);
}

/* The archive of an image that was made here is a disk as long as the machine is there. */
static gboolean
keep_container (const Provision *provision, GError **error)
{
  if (provision->container == NULL || provision->folder != NULL ||
      g_rename (provision->cloud->container.path, provision->container) == 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot write %s: %s", provision->container,
               g_strerror (errno));
  return FALSE;
}

static gboolean
make_cloud_seed (Provision *provision, char **ret_message, gboolean *ret_skipped, GError **error)
{
  if (!sp_provision_make_seed (provision, SP_PROVISION_MAC, ret_message, error) ||
      !keep_container (provision, error))
    return FALSE;
  /* All else of it is on the disks now. */
  sp_provision_discard_image (provision);
  return TRUE;
}

/* ---- which of them ------------------------------------------------------------------------------------- */

/* A cloud image with an engine and its images. */
#define IN_CONTAINER SP_N_IMAGE_KINDS

static const ProvisionKind kinds[SP_N_IMAGE_KINDS + 1] = {
  [SP_IMAGE_APPLIANCE] = { "128M", "256M", 240, check_nothing, open_appliance, make_appliance_disk,
                           make_no_seed },
  [SP_IMAGE_CLOUD] = { "256M", "10G", 900, check_cloud_tools, open_cloud, make_cloud_disk,
                       make_cloud_seed },
  [IN_CONTAINER] = { "512M", "10G", 900, check_cloud_tools, open_cloud, make_cloud_disk,
                     make_cloud_seed },
};

/* A file of an image stands for its folder; a path of nothing may have been meant as one.  NULL: it is no
 * image that is ready.  Absolute, as a disk of the machine's may lie there. */
static char *
image_folder (const char *image)
{
  g_autofree char *path = g_canonicalize_filename (image, NULL);
  g_autofree char *dir = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  SpImageKind kind;

  if (g_file_test (image, G_FILE_TEST_IS_REGULAR)) {
    if (sp_image_folder_kind (dir, &kind, NULL) && sp_image_kind_has (kind, name))
      return g_steal_pointer (&dir);
    return NULL;
  }
  if (g_file_test (image, G_FILE_TEST_IS_DIR) ||
      (strchr (image, '/') != NULL && strstr (image, "://") == NULL))
    return g_steal_pointer (&path);
  return NULL;
}

/* What only the other kind has. */
static gboolean
check_options (const Provision *provision, SpImageKind kind, GError **error)
{
  const SpProvisionOptions *options = provision->options;
  const char *what = options->sha512 != NULL ? "--sha512" : "--templates";

  if (provision->folder != NULL && (options->sha512 != NULL || options->templates != NULL)) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_USAGE,
                 "%s is for an image that is made here: %s is made already, and has its own", what,
                 options->image);
    return FALSE;
  }
  if (kind == SP_IMAGE_CLOUD || (options->ssh_port == 0 && options->runtime == NULL))
    return TRUE;
  g_set_error_literal (
      error, SP_PROBLEM, SP_PROBLEM_USAGE,
      options->ssh_port != 0
          ? "--ssh-port is for cloud images: an appliance has no SSH"
          : "--runtime is for cloud images: an appliance has no other than its own");
  return FALSE;
}

/* One that is made already has its own. */
static gboolean
check_runtime (Provision *provision, GError **error)
{
  const char *wanted = provision->options->runtime;
  SpCloudRuntime has;

  if (provision->folder == NULL || !sp_cloud_image_runtime (provision->folder, &has, NULL) ||
      has == provision->runtime)
    return TRUE;
  provision->runtime = has;
  if (wanted == NULL)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
               "--runtime %s: the image in %s is made for the runtime %s; have one made with "
               "'secret-proxy image build --cloud … --runtime %s'",
               wanted, provision->folder, sp_cloud_runtime_names[has], wanted);
  return FALSE;
}

static gboolean
choose_runtime (Provision *provision, SpImageKind kind, GError **error)
{
  const char *folder = provision->folder ? provision->folder : provision->staging;

  provision->kind = &kinds[kind];
  if (kind != SP_IMAGE_CLOUD)
    return TRUE;
  if (!check_runtime (provision, error))
    return FALSE;
  if (provision->runtime == SP_CLOUD_SERVICE)
    return TRUE;
  provision->kind = &kinds[IN_CONTAINER];
  provision->container = g_build_filename (folder, SP_CLOUD_CONTAINER, NULL);
  return TRUE;
}

gboolean
sp_provision_choose (Provision *provision, GError **error)
{
  SpImageKind kind = SP_IMAGE_CLOUD;

  if (!sp_cloud_runtime_parse (provision->options->runtime, &provision->runtime, error))
    return FALSE;
  provision->folder = image_folder (provision->options->image);
  if (provision->folder != NULL) {
    /* What is wrong with it is said by the step that opens it. */
    if (!sp_image_folder_kind (provision->folder, &kind, NULL))
      kind = SP_IMAGE_APPLIANCE;
  } else {
    provision->source =
        sp_cloud_base_resolve (provision->options->image, provision->options->sha512, error);
    if (provision->source == NULL)
      return FALSE;
  }
  return check_options (provision, kind, error) && choose_runtime (provision, kind, error);
}

gboolean
sp_provision_is_cloud (const Provision *provision)
{
  return provision->kind != &kinds[SP_IMAGE_APPLIANCE];
}

const char *
sp_provision_image_id (const Provision *provision)
{
  return provision->cloud ? provision->cloud->id : provision->image->id;
}

void
sp_provision_clear_image (Provision *provision)
{
  sp_image_set_free (provision->image);
  sp_cloud_image_free (provision->cloud);
  sp_cloud_base_free (provision->source);
  g_free (provision->folder);
  g_free (provision->container);
}

void
sp_provision_discard_image (Provision *provision)
{
  g_autofree char *made =
      provision->source ? g_build_filename (provision->staging, IMAGE, NULL) : NULL;

  if (made != NULL)
    sp_image_set_discard (made);
}

/* ---- the machine --------------------------------------------------------------------------------------- */

static void
add_appliance (Provision *provision, SpVmSpec *spec)
{
  provision->cmdline = sp_machine_cmdline (SP_DISK_ROOT_DEVICE, provision->settings);
  spec->kernel = provision->image->kernel.path;
  spec->initrd = provision->image->initrd.path;
  spec->cmdline = provision->cmdline;
}

static void
add_cloud (Provision *provision, ProvisionSpec *spec)
{
  spec->disks[spec->spec.n_disks++] =
      (SpVmDisk){ provision->paths[SP_SOURCE_SEED], SP_CLOUD_SEED_SERIAL, SP_VM_RAW, TRUE };
  if (provision->container != NULL)
    spec->disks[spec->spec.n_disks++] =
        (SpVmDisk){ provision->container, SP_CLOUD_CONTAINER_SERIAL, SP_VM_RAW, TRUE };
  spec->spec.mac = SP_PROVISION_MAC;
  if (provision->options->ssh_port != 0)
    spec->forwards[spec->spec.n_forwards++] =
        (SpVmForward){ SP_PROVISION_LOOPBACK, provision->options->ssh_port, GUEST_SSH };
}

void
sp_provision_spec (Provision *provision, ProvisionSpec *ret_spec)
{
  *ret_spec = (ProvisionSpec){
    .spec = {
      .size = sizeof ret_spec->spec,
      .id = provision->id,
      .name = "agent",
      .role = SP_VM_PROVISION,
      .n_disks = 1,
      .n_forwards = 1,
      .monitor = provision->paths[SP_SOURCE_MONITOR],
      .pid_file = provision->paths[SP_SOURCE_PID],
    },
    .disks = { { provision->paths[SP_SOURCE_DISK], "disk", SP_VM_QCOW2, FALSE } },
    .forwards = { { SP_PROVISION_LOOPBACK, provision->options->port, GUEST_PORT } },
  };
  ret_spec->spec.disks = ret_spec->disks;
  ret_spec->spec.forwards = ret_spec->forwards;
  if (sp_provision_is_cloud (provision))
    add_cloud (provision, ret_spec);
  else if (provision->image != NULL)
    add_appliance (provision, &ret_spec->spec);
  sp_vm_settings_apply (provision->settings, &ret_spec->spec);
}
