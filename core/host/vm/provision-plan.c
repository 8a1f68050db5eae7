/* provision-plan.c - what provision would do, told instead of done: provision-private.h
 *
 * What must stay true: nothing is fetched, written or started here; commands and contents are made by the same
 * functions as when it is done.
 */
#include <string.h>

#include "base/problem.h"
#include "host/vm/provision-private.h"

#define TOLD "(made at the run)"

static void
put_command (GString *out, char **argv)
{
  for (char **word = argv; *word != NULL; word++) {
    g_autofree char *quoted =
        strpbrk (*word, " \t\n'\"\\$&;|<>()*?[]#~") ? g_shell_quote (*word) : g_strdup (*word);

    g_string_append_printf (out, "%s%s", word == argv ? "" : " ", quoted);
  }
  g_string_append_c (out, '\n');
  g_strfreev (argv);
}

static gboolean
plan_tools (Provision *provision, GString *out, GError **error)
{
  g_string_append_printf (out, "ask the vm plugin %s what this machine can do\n",
                          provision->instance->plugin);
  if (sp_provision_is_cloud (provision))
    g_string_append (out, "look for genisoimage, tar and the tool that converts disks\n");
  return TRUE;
}

/* ---- the image ------------------------------------------------------------------------------------------- */

static void
plan_fetch (const SpCloudBase *base, GString *out)
{
  g_autofree char *cache = sp_fetch_cache ();

  if (base->sums != NULL)
    g_string_append_printf (out, "read the checksum from %s\n", base->sums);
  g_string_append_printf (out, "fetch %s, or take it from %s\n", base->url, cache);
}

static gboolean
plan_image (Provision *provision, GString *out, GError **error)
{
  const SpCloudBase *base = provision->source;

  if (base == NULL) {
    g_string_append_printf (out, "hash every file in %s and compare it with the manifest\n",
                            provision->folder);
    return TRUE;
  }
  if (base->path == NULL)
    plan_fetch (base, out);
  else
    g_string_append_printf (out, "take %s\n", base->path);
  if (base->sha512 != NULL)
    g_string_append_printf (out, "its SHA-512 must be %s\n", base->sha512);
  g_string_append_printf (out, "build %s of this machine's programs, and the image of both\n",
                          provision->container ? "the OCI image" : "the bundle");
  return TRUE;
}

static char *
base_path (const Provision *provision)
{
  return provision->folder ? g_build_filename (provision->folder, SP_CLOUD_BASE, NULL)
                           : g_strdup (SP_CLOUD_BASE);
}

static gboolean
plan_disk (Provision *provision, GString *out, GError **error)
{
  const char *path = provision->paths[SP_SOURCE_DISK];
  g_autofree char *base = base_path (provision);

  if (sp_provision_is_cloud (provision)) {
    put_command (out, sp_cloud_copy_command (base, path));
    put_command (out, sp_cloud_grow_command (path, provision->settings->disk_size));
    return TRUE;
  }
  g_string_append_printf (
      out, "write the image's root and an empty partition to %s, %" G_GUINT64_FORMAT " MiB\n", path,
      provision->settings->disk_size >> 20);
  return TRUE;
}

/* ---- the seed -------------------------------------------------------------------------------------------- */

static gboolean
plan_file (const Provision *provision, SpCloudTemplate which, const SpCloudSeed *seed, GString *out,
           GError **error)
{
  const char *name = sp_cloud_template_names[which];
  const char *folder = provision->folder ? provision->folder : provision->options->templates;
  g_autoptr (GBytes) template = sp_cloud_template_read (folder, which, provision->runtime, error);
  g_autofree char *text =
      template ? g_strndup (g_bytes_get_data (template, NULL), g_bytes_get_size (template)) : NULL;
  g_autofree char *filled = text ? sp_cloud_seed_fill (seed, name, text, error) : NULL;

  if (filled == NULL)
    return FALSE;
  g_string_append_printf (out, "---- %s\n%s%s", name, filled,
                          g_str_has_suffix (filled, "\n") ? "" : "\n");
  return TRUE;
}

static gboolean
plan_seed (Provision *provision, GString *out, GError **error)
{
  static const char *const keys[] = { TOLD, NULL };
  g_autoptr (SpSecret) host_key = sp_secret_new_from (TOLD, strlen (TOLD));
  const SpCloudSeed seed = { .instance_id = provision->id,
                             .ssh_keys = keys,
                             .host_key = host_key,
                             .host_public = TOLD,
                             .mac = SP_PROVISION_MAC };
  const char *path = provision->paths[SP_SOURCE_SEED];
  g_autofree char *files = g_strconcat (path, ".files", NULL);

  if (!sp_provision_is_cloud (provision)) {
    g_string_append (out, "nothing: an appliance needs no cloud-init\n");
    return TRUE;
  }
  g_string_append_printf (out, "make a temporary SSH key: %s/ssh-key\n", provision->staging);
  for (guint i = 0; i < SP_CLOUD_N_TEMPLATES; i++)
    if (!plan_file (provision, i, &seed, out, error))
      return FALSE;
  g_string_append (out, "----\n");
  put_command (out, sp_cloud_seed_command (files, path));
  return TRUE;
}

/* ---- the machine ----------------------------------------------------------------------------------------- */

static gboolean
plan_machine (Provision *provision, GString *out, GError **error)
{
  ProvisionSpec spec;

  sp_provision_spec (provision, &spec);
  g_string_append_printf (
      out, "by the vm plugin %s: %" G_GUINT64_FORMAT " MiB of memory, %u processors\n",
      provision->instance->plugin, spec.spec.memory >> 20, spec.spec.cpus);
  g_string_append (out, sp_provision_is_cloud (provision)
                            ? "boot: the disk's own loader\n"
                            : "boot: the image's kernel and initrd\n");
  for (gsize i = 0; i < spec.spec.n_disks; i++)
    g_string_append_printf (out, "disk: %s, serial %s%s\n", spec.disks[i].path, spec.disks[i].name,
                            spec.disks[i].read_only ? ", read-only" : "");
  for (gsize i = 0; i < spec.spec.n_forwards; i++)
    g_string_append_printf (out, "forward: %s:%u to port %u\n", spec.forwards[i].address,
                            spec.forwards[i].port, spec.forwards[i].guest_port);
  g_string_append_printf (out, "monitor: %s\npid: %s\n", spec.spec.monitor, spec.spec.pid_file);
  return TRUE;
}

static gboolean
plan_wait (Provision *provision, GString *out, GError **error)
{
  guint boot_s = provision->options->boot_s ? provision->options->boot_s : provision->kind->boot_s;

  g_string_append_printf (out, "GET %s/health until it answers, for at most %u s\n",
                          provision->base, boot_s);
  return TRUE;
}

static gboolean
plan_test (Provision *provision, GString *out, GError **error)
{
  g_string_append_printf (out, "GET %s/health: 200, unowned\nGET %s/v1/secrets: 503\n",
                          provision->base, provision->base);
  return TRUE;
}

static gboolean
plan_ready (Provision *provision, GString *out, GError **error)
{
  gsize length = 0;
  g_autofree char *id = NULL;
  g_autofree char *manifest =
      provision->folder ? sp_image_manifest_read (provision->folder, &length, &id, error) : NULL;
  g_autofree char *text = sp_provision_ready_text (provision, id ? id : TOLD);

  if (provision->folder != NULL && manifest == NULL)
    return FALSE;
  g_string_append_printf (out, "---- %s\n%s----\n", provision->paths[SP_SOURCE_READY], text);
  return TRUE;
}

static gboolean (*const plans[SP_PROVISION_STEPS]) (Provision *, GString *, GError **) = {
  plan_tools, plan_image, plan_disk, plan_seed, plan_machine, plan_wait, plan_test, plan_ready,
};

char *
sp_provision_plan_step (Provision *provision, guint number, GError **error)
{
  GString *out = g_string_new (NULL);
  gboolean ok = plans[number - 1](provision, out, error);

  if (out->len > 0)
    g_string_truncate (out, out->len - 1);
  return g_string_free (out, !ok);
}
