/* boot.c - boot.h
 *
 * What must stay true: no link is followed, and a copy is new: what lies there under its name is removed,
 * never written into.
 */
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SIZE (1024 * 1024 * 1024)
#define CHUNK (16u * 1024 * 1024)

static char *
name_of (const char *id, const char *what)
{
  return g_strconcat ("secret-proxy-", id, ".", what, NULL);
}

static int
open_folder (const char *folder, GError **error)
{
  int fd = open (folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;

  if (fd < 0 || fstat (fd, &st) != 0) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
                 "cannot open the folder %s: %s; install libvirt-daemon-system, which makes it, or "
                 "name another with `boot-folder`",
                 folder, g_strerror (errno));
  } else if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    g_set_error (
        error, SP_ERROR, SP_ERROR_CONFIG,
        "others than root may write to the folder %s (mode %03o): run chown root %s; chmod "
        "go-w %s",
        folder, (guint) st.st_mode & 0777u, folder, folder);
  } else if ((st.st_mode & (S_IXGRP | S_IXOTH)) == 0) {
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
                 "libvirt's QEMU can't enter the folder %s (mode %03o): run chmod o+x %s", folder,
                 (guint) st.st_mode & 0777u, folder);
  } else {
    return fd;
  }
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

static int
open_source (const char *path, goffset *ret_size, GError **error)
{
  int fd = open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat st;

  if (fd >= 0 && fstat (fd, &st) == 0 && S_ISREG (st.st_mode) && st.st_size <= MAX_SIZE) {
    *ret_size = st.st_size;
    return fd;
  }
  g_set_error (error, SP_ERROR, SP_ERROR_CONFIG, "cannot open %s: %s", path,
               fd < 0 ? g_strerror (errno) : "it is no regular file of at most 1 GiB");
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

static gboolean
copy (int from, int to, goffset size)
{
  for (goffset left = size; left > 0;) {
    gssize n = sendfile (to, from, NULL, (gsize) MIN (left, (goffset) CHUNK));

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return FALSE;
    left -= n;
  }
  /* Whatever the umask is. */
  return fchmod (to, 0644) == 0;
}

static gboolean
copy_into (int folder, const char *name, const char *path, GError **error)
{
  goffset size = 0;
  int from = open_source (path, &size, error);
  int to;
  gboolean ok;

  if (from < 0)
    return FALSE;
  (void) unlinkat (folder, name, 0);
  to = openat (folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  ok = to >= 0 && copy (from, to, size);
  if (!ok)
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "cannot copy %s for QEMU: %s", path,
                 g_strerror (errno));
  if (to >= 0)
    (void) close (to);
  (void) close (from);
  return ok;
}

static gboolean
copy_one (const char *folder, int fd, const SpVmSpec *spec, const char *what, const char *path,
          char **ret_path, GError **error)
{
  g_autofree char *name = name_of (spec->id, what);

  if (path == NULL)
    return TRUE;
  *ret_path = g_build_filename (folder, name, NULL);
  return copy_into (fd, name, path, error);
}

gboolean
sp_libvirt_boot_prepare (const char *folder, const SpVmSpec *spec, SpLibvirtBoot *ret_boot,
                         GError **error)
{
  gboolean ok;
  int fd;

  if (folder == NULL) {
    ret_boot->kernel = g_strdup (spec->kernel);
    ret_boot->initrd = g_strdup (spec->initrd);
    return TRUE;
  }
  fd = open_folder (folder, error);
  if (fd < 0)
    return FALSE;
  ok = copy_one (folder, fd, spec, "kernel", spec->kernel, &ret_boot->kernel, error) &&
       copy_one (folder, fd, spec, "initrd", spec->initrd, &ret_boot->initrd, error);
  (void) close (fd);
  if (!ok)
    sp_libvirt_boot_remove (folder, spec->id);
  return ok;
}

void
sp_libvirt_boot_remove (const char *folder, const char *id)
{
  static const char *const both[] = { "kernel", "initrd" };

  for (gsize i = 0; folder != NULL && i < G_N_ELEMENTS (both); i++) {
    g_autofree char *name = name_of (id, both[i]);
    g_autofree char *path = g_build_filename (folder, name, NULL);

    (void) unlink (path);
  }
}

void
sp_libvirt_boot_clear (SpLibvirtBoot *boot)
{
  g_clear_pointer (&boot->kernel, g_free);
  g_clear_pointer (&boot->initrd, g_free);
}
