/* plugin-disk.h - bring plugins into the vault VM
 *
 * A read-only disk (squashfs, name "plugins") that the host builds: /plugins/KIND-NAME.so, those that are
 * configured and all other notifiers and stores of this host's that can be brought, so that one may be
 * configured while the machine runs; /lib with the libraries that they need and the appliance may not have, /files with what their options of type path
 * point to.  The guest mounts it at /run/plugins.  The same input gives the same bytes; its SHA-256 is
 * part of the measurement.
 */
#pragma once

#include "base/config.h"
#include "plugin/info.h"

#define SP_PLUGIN_MOUNT "/run/plugins"

/* Build it at @path (replaced in one step).  @ret_content: name on it ("plugins/…", "files/…") -> SHA-256.  @catalog: descriptions, for the types of options.  A
 * store's options of type path are refused: a vault VM has one place for data. */
gboolean
sp_plugin_disk_build (const SpConfigVault *vault, SpPluginCatalog *catalog, const char *path,
                      GHashTable **ret_content, char **ret_sha256, GError **error);
/* Whether a disk with @content has what @instance needs, as it is here now.  FALSE: @ret_key is the option
 * whose file is another one or missing, or "plugin"; free it. */
gboolean sp_plugin_disk_fits (GHashTable *content, const SpConfigInstance *instance,
                              SpPluginCatalog *catalog, char **ret_key);

/* Whether what is at @path is what was built. */
gboolean sp_plugin_disk_check (const char *path, const char *sha256, GError **error);

/* How @instance is to be told to the guest: the path of its shared object there, and its options with
 * paths changed to those on the disk.  Free the path; unref the options (a{ss}). */
gboolean sp_plugin_disk_map (const SpConfigInstance *instance, SpPluginCatalog *catalog,
                             char **ret_path, GVariant **ret_options, GError **error);

/* An empty data volume: a sparse file with an ext4 file system, 0600.  Fails where it is there. */
gboolean sp_data_volume_make (const char *path, guint64 size, const char *uuid, GError **error);

/* Make it longer where it is shorter than @size: the guest takes what is new at its next boot.  It never
 * becomes shorter, and one that is not there is no error of this. */
gboolean sp_data_volume_grow (const char *path, guint64 size, GError **error);
