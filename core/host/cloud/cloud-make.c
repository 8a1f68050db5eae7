/* cloud-make.c - making of cloud-image.h: the folder, and the disk that a machine boots from
 *
 * A disk image may name other files as its own.  One is taken only where our own look at its header
 * (image/image.h) has found none, before any tool opens it.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/problem.h"
#include "host/appliance/bundle-build.h"
#include "host/appliance/tool.h"
#include "host/cloud/cloud-image.h"
#include "host/cloud/seed.h"
#include "host/cloud-templates.h"
#include "host/image/image.h"
#include "sp-build.h"

#define RESOURCES "/org/secret-proxy/cloud/"
#define ENGINE "user-data.engine"
#define COMMANDS "\nruncmd:\n"
#define DISK_TOOL "qemu-img"
#define DISK_PACKAGE "qemu-utils"
#define FORMAT "qcow2"
#define MAX_TEMPLATE (64u * 1024u)
#define COPY_STEP (256u * 1024u)

/* ---- the base -------------------------------------------------------------------------------------------- */

static gboolean
check_alone (int fd, const char *path, GError **error)
{
  g_autoptr (GPtrArray) findings = sp_image_check_header (fd, &sp_image_default_limits, error);
  const SpImageFinding *first;

  if (findings == NULL || findings->len == 0)
    return findings != NULL;
  first = g_ptr_array_index (findings, 0);
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY, "%s can't be used as a base: %s", path,
               first->message);
  return FALSE;
}

/* From one descriptor to the other, hashed on the way. */
static gboolean
copy_hashed (int from, int to, GChecksum *sha512, GError **error)
{
  g_autofree guint8 *buffer = g_malloc (COPY_STEP);
  gssize n;

  while ((n = read (from, buffer, COPY_STEP)) > 0) {
    g_checksum_update (sha512, buffer, n);
    if (!sp_file_write_all (to, buffer, (gsize) n))
      break;
  }
  if (n == 0 && fsync (to) == 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot copy the base: %s", g_strerror (errno));
  return FALSE;
}

static gboolean
check_sha512 (const char *wanted, const char *found, const char *path, GError **error)
{
  if (wanted == NULL || g_ascii_strcasecmp (wanted, found) == 0)
    return TRUE;
  g_set_error (error, SP_PROBLEM, SP_PROBLEM_INTEGRITY,
               "%s has the SHA-512 %.16s…, and not %.16s…: it is damaged, or another file", path,
               found, wanted);
  return FALSE;
}

static gboolean
copy_base (int from, int to, const SpCloudParts *parts, char **ret_sha512, GError **error)
{
  g_autoptr (GChecksum) sha512 = g_checksum_new (G_CHECKSUM_SHA512);

  if (!copy_hashed (from, to, sha512, error) ||
      !check_sha512 (parts->sha512, g_checksum_get_string (sha512), parts->base, error) ||
      !check_alone (to, parts->base, error))
    return FALSE;
  *ret_sha512 = g_strdup (g_checksum_get_string (sha512));
  return TRUE;
}

static gboolean
put_base (const SpCloudParts *parts, const char *dir, char **ret_sha512, GError **error)
{
  g_autofree char *path = g_build_filename (dir, SP_CLOUD_BASE, NULL);
  int from = open (parts->base, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  int to = from >= 0 ? open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;
  gboolean ok = to >= 0;

  if (!ok)
    g_set_error (error, SP_PROBLEM, from < 0 ? SP_PROBLEM_NOT_FOUND : SP_PROBLEM_STORE,
                 "cannot copy %s to %s: %s", parts->base, path, g_strerror (errno));
  else
    ok = copy_base (from, to, parts, ret_sha512, error);
  if (from >= 0)
    (void) close (from);
  if (to >= 0)
    (void) close (to);
  return ok;
}

/* ---- bundle and templates ----------------------------------------------------------------------------------- */

/* The same bundle gives the same bytes: GNU tar, in the order of names, of nobody's time and owner. */
static gboolean
pack_bundle (const char *bundle, const char *dir, GError **error)
{
  g_autofree char *path = g_build_filename (dir, SP_CLOUD_BUNDLE, NULL);
  const char *const argv[] = { "tar",
                               "--create",
                               "--file",
                               path,
                               "--sort=name",
                               "--mtime=@0",
                               "--owner=0",
                               "--group=0",
                               "--numeric-owner",
                               "--format=ustar",
                               "--directory",
                               bundle,
                               ".",
                               NULL };

  return sp_tool_run (argv, "tar", error);
}

static SpBundle *(*const builders[SP_CLOUD_N_RUNTIMES]) (const char *, GError **) = {
  [SP_CLOUD_SERVICE] = sp_bundle_build,
  [SP_CLOUD_IN_CONTAINER] = sp_bundle_build_service,
};

static gboolean
put_bundle (const SpCloudParts *parts, const char *dir, char **ret_id, GError **error)
{
  g_autofree char *built = parts->bundle ? NULL : g_build_filename (dir, "bundle", NULL);
  g_autoptr (SpBundle) bundle = built ? builders[parts->runtime](built, error) : NULL;
  const char *folder = built ? built : parts->bundle;
  const char *const remove[] = { "rm", "-rf", "--", built, NULL };
  g_autofree char *manifest = g_build_filename (folder, SP_MANIFEST, NULL);
  guint64 size;
  gboolean ok = (built == NULL || bundle != NULL) && pack_bundle (folder, dir, error) &&
                sp_image_hash (manifest, ret_id, &size, error);

  if (built != NULL)
    (void) sp_tool_run (remove, "coreutils", NULL);
  return ok;
}

static gboolean
put_container (const SpCloudParts *parts, const char *dir, GError **error)
{
  g_autofree char *path = g_build_filename (dir, SP_CLOUD_CONTAINER, NULL);
  g_autoptr (SpBundle) built = NULL;
  g_autoptr (GFile) from = NULL;
  g_autoptr (GFile) to = NULL;

  if (parts->runtime != SP_CLOUD_IN_CONTAINER)
    return TRUE;
  if (parts->container == NULL) {
    built = sp_bundle_build_oci (path, error);
    return built != NULL;
  }
  from = g_file_new_for_path (parts->container);
  to = g_file_new_for_path (path);
  return g_file_copy (from, to, G_FILE_COPY_TARGET_DEFAULT_PERMS, NULL, NULL, NULL, error);
}

static GBytes *
resource (const char *name)
{
  g_autofree char *path = g_strconcat (RESOURCES, name, NULL);

  sp_cloud_register_resource ();
  return g_resource_lookup_data (sp_cloud_get_resource (), path, 0, NULL);
}

/* The first command of the user-data is that of the engine. */
static GBytes *
add_engine (GBytes *user_data)
{
  g_autoptr (GBytes) engine = resource (ENGINE);
  gsize length, n_engine;
  const char *text = g_bytes_get_data (user_data, &length);
  const char *commands = g_bytes_get_data (engine, &n_engine);
  const char *at = g_strstr_len (text, (gssize) length, COMMANDS) + strlen (COMMANDS);
  GString *whole = g_string_new_len (text, at - text);

  g_string_append_len (whole, commands, (gssize) n_engine);
  g_string_append_len (whole, at, (gssize) length - (at - text));
  return g_string_free_to_bytes (whole);
}

GBytes *
sp_cloud_template_default (SpCloudTemplate which, SpCloudRuntime runtime)
{
  g_autoptr (GBytes) text = resource (sp_cloud_template_names[which]);

  return which == SP_CLOUD_USER_DATA && runtime == SP_CLOUD_IN_CONTAINER ? add_engine (text)
                                                                         : g_steal_pointer (&text);
}

GBytes *
sp_cloud_template_read (const char *folder, SpCloudTemplate which, SpCloudRuntime runtime,
                        GError **error)
{
  g_autofree char *path =
      folder ? g_build_filename (folder, sp_cloud_template_names[which], NULL) : NULL;
  char *text = NULL;
  gsize length = 0;

  if (path == NULL || !g_file_test (path, G_FILE_TEST_EXISTS))
    return sp_cloud_template_default (which, runtime);
  if (!g_file_get_contents (path, &text, &length, error))
    return NULL;
  if (length > MAX_TEMPLATE || !g_utf8_validate_len (text, length, NULL))
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFIG,
                 "%s is no template: it must be UTF-8 of at most %u KiB", path,
                 MAX_TEMPLATE / 1024u);
  else if (sp_cloud_seed_check (path, text, error))
    return g_bytes_new_take (text, length);
  g_free (text);
  return NULL;
}

static gboolean
put_templates (const SpCloudParts *parts, const char *dir, GError **error)
{
  for (guint i = 0; i < SP_CLOUD_N_TEMPLATES; i++) {
    g_autofree char *path = g_build_filename (dir, sp_cloud_template_names[i], NULL);
    g_autoptr (GBytes) text = sp_cloud_template_read (parts->templates, i, parts->runtime, error);
    gsize length = 0;
    const char *data = text ? g_bytes_get_data (text, &length) : NULL;

    if (text == NULL || !g_file_set_contents_full (path, data, (gssize) length,
                                                   G_FILE_SET_CONTENTS_DURABLE, 0644, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- the manifest ------------------------------------------------------------------------------------------- */

static JsonObject *
describe (const char *dir, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autofree char *sha256 = NULL;
  guint64 size = 0;
  JsonObject *object;

  if (!sp_image_hash (path, &sha256, &size, error))
    return NULL;
  object = json_object_new ();
  json_object_set_string_member (object, "sha256", sha256);
  json_object_set_int_member (object, "size", (gint64) size);
  return object;
}

static JsonObject *
describe_base (const SpCloudParts *parts, const char *dir, const char *sha512, GError **error)
{
  JsonObject *base = describe (dir, SP_CLOUD_BASE, error);

  if (base == NULL)
    return NULL;
  json_object_set_string_member (base, "name", parts->name);
  json_object_set_string_member (base, "sha512", sha512);
  if (parts->url != NULL)
    json_object_set_string_member (base, "url", parts->url);
  else
    json_object_set_null_member (base, "url");
  return base;
}

static gboolean
add_templates (JsonObject *manifest, const char *dir, GError **error)
{
  JsonObject *templates = json_object_new ();

  json_object_set_object_member (manifest, "templates", templates);
  for (guint i = 0; i < SP_CLOUD_N_TEMPLATES; i++) {
    JsonObject *one = describe (dir, sp_cloud_template_names[i], error);

    if (one == NULL)
      return FALSE;
    json_object_set_object_member (templates, sp_cloud_template_names[i], one);
  }
  return TRUE;
}

/* The first runtime is not named, so that its images keep their ids. */
static gboolean
add_container (JsonObject *manifest, SpCloudRuntime runtime, const char *dir, GError **error)
{
  JsonObject *container;

  if (runtime == SP_CLOUD_SERVICE)
    return TRUE;
  container = describe (dir, SP_CLOUD_CONTAINER, error);
  if (container == NULL)
    return FALSE;
  json_object_set_object_member (manifest, "container", container);
  json_object_set_string_member (manifest, "runtime", sp_cloud_runtime_names[runtime]);
  return TRUE;
}

static gboolean
put_manifest (const SpCloudParts *parts, const char *dir, const char *sha512, const char *bundle_id,
              GError **error)
{
  g_autofree char *path = g_build_filename (dir, SP_MANIFEST, NULL);
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *manifest = json_object_new ();
  JsonObject *base = describe_base (parts, dir, sha512, error);
  JsonObject *bundle = base ? describe (dir, SP_CLOUD_BUNDLE, error) : NULL;
  g_autofree char *text = NULL;

  json_node_take_object (node, manifest);
  if (base != NULL)
    json_object_set_object_member (manifest, "base", base);
  if (bundle == NULL)
    return FALSE;
  json_object_set_string_member (bundle, "id", bundle_id);
  json_object_set_object_member (manifest, "bundle", bundle);
  json_object_set_int_member (manifest, "format", 1);
  json_object_set_string_member (manifest, "kind", "cloud");
  if (!add_templates (manifest, dir, error) ||
      !add_container (manifest, parts->runtime, dir, error))
    return FALSE;
  json_object_set_string_member (manifest, "version", SP_VERSION);
  text = sp_json_text (node);
  return g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_DURABLE, 0644, error);
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

static gboolean
fill (const SpCloudParts *parts, const char *dir, GError **error)
{
  g_autofree char *sha512 = NULL;
  g_autofree char *bundle_id = NULL;

  return put_base (parts, dir, &sha512, error) && put_bundle (parts, dir, &bundle_id, error) &&
         put_container (parts, dir, error) && put_templates (parts, dir, error) &&
         put_manifest (parts, dir, sha512, bundle_id, error);
}

SpCloudImage *
sp_cloud_image_make (const SpCloudParts *parts, const char *to, GError **error)
{
  g_autofree char *path = g_canonicalize_filename (to, NULL);

  if (g_mkdir (path, 0755) != 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_CONFLICT,
                 "cannot make %s: %s; name a folder that is not there yet", path,
                 g_strerror (errno));
    return NULL;
  }
  if (fill (parts, path, error))
    return sp_cloud_image_open (path, error);
  sp_image_set_discard (path);
  g_prefix_error (error, "cannot make the cloud image: ");
  return NULL;
}

/* ---- the disk ------------------------------------------------------------------------------------------------- */

/* A copy of the tool's, so that what was compressed no longer is, and nothing depends on the base. */
char **
sp_cloud_copy_command (const char *base, const char *path)
{
  const char *const argv[] = { DISK_TOOL, "convert", "-f", FORMAT, "-O", FORMAT, base, path, NULL };

  return g_strdupv ((char **) argv);
}

char **
sp_cloud_grow_command (const char *path, guint64 size)
{
  g_autofree char *text = g_strdup_printf ("%" G_GUINT64_FORMAT, size);
  const char *const argv[] = { DISK_TOOL, "resize", "-q", "-f", FORMAT, path, text, NULL };

  return g_strdupv ((char **) argv);
}

static gboolean
run (char **argv, GError **error)
{
  gboolean ok = sp_tool_run ((const char *const *) argv, DISK_PACKAGE, error);

  g_strfreev (argv);
  return ok;
}

gboolean
sp_cloud_image_make_system (const SpCloudImage *image, const char *path, guint64 size,
                            GError **error)
{
  int fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd < 0) {
    g_set_error (error, SP_PROBLEM, SP_PROBLEM_STORE, "cannot make %s: %s", path,
                 g_strerror (errno));
    return FALSE;
  }
  (void) close (fd);
  if (run (sp_cloud_copy_command (image->base.path, path), error) &&
      run (sp_cloud_grow_command (path, size), error) && g_chmod (path, 0600) == 0)
    return TRUE;
  (void) g_unlink (path);
  g_prefix_error (error, "cannot make a disk of %" G_GUINT64_FORMAT " MiB from %s: ", size >> 20,
                  image->name);
  return FALSE;
}
