/* volume.h - the file system of the data volume takes all of its disk
 *
 * The host makes the disk larger by making its file longer; a file system learns of that by being told.
 */
#pragma once

#include <gio/gio.h>

/* Where the folder @path lies on an ext4, make that as large as its disk.  Needs root.  What fails is
 * logged: the vault has the room that it had. */
void sp_volume_fill (const char *path);
