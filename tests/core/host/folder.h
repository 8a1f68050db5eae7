/* folder.h - a fresh vault folder for a test, gone after it */
#pragma once

#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "base/file.h"

typedef struct {
  char *path;
  int fd;
} Folder;

static inline void
folder_set_up (Folder *folder, gconstpointer data)
{
  folder->path = g_dir_make_tmp ("sp-host-XXXXXX", NULL);
  folder->fd = sp_file_open_folder (folder->path, NULL);
  g_assert_cmpint (folder->fd, >=, 0);
}

static inline void
folder_tear_down (Folder *folder, gconstpointer data)
{
  g_autoptr (GDir) dir = g_dir_open (folder->path, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    (void) unlinkat (folder->fd, name, 0);
  (void) close (folder->fd);
  (void) g_rmdir (folder->path);
  g_free (folder->path);
}

#define ADD_TEST(name, func) g_test_add (name, Folder, NULL, folder_set_up, func, folder_tear_down)
