/* host-facts.c - host-facts.h */
#include "host-facts.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errors.h"
#include "probe.h"
#include "user.h"
#include "xml.h"

/* ---- what it offers ----------------------------------------------------------------------------------- */

static char *
find_emulator (virConnectPtr connection, const char *type, GError **error)
{
  g_autofree char *text =
      virConnectGetDomainCapabilities (connection, NULL, "x86_64", "pc", type, 0);
  g_autoptr (xmlDoc) doc = text != NULL ? sp_xml_parse (text) : NULL;
  char *path = doc != NULL ? sp_xml_find (doc, "/domainCapabilities/path") : NULL;

  if (text == NULL)
    (void) sp_libvirt_fail (error, "libvirt can't run machines of type %s", type);
  else if (path == NULL)
    g_set_error (error, SP_ERROR, SP_ERROR_UNAVAILABLE, "libvirt names no emulator");
  return path;
}

char *
sp_libvirt_emulator (virConnectPtr connection, GError **error)
{
  return find_emulator (connection, "qemu", error);
}

static void
add_version (virConnectPtr connection, SpVmProbe *probe)
{
  unsigned long version = 0;
  char *text;

  if (virConnectGetLibVersion (connection, &version) != 0)
    return;
  text = g_strdup_printf ("%s, by libvirt %lu.%lu.%lu", probe->version, version / 1000000,
                          version / 1000 % 1000, version % 1000);
  g_free (probe->version);
  probe->version = text;
}

gboolean
sp_libvirt_probe (SpLibvirt *libvirt, SpVmProbe *ret_probe, GCancellable *cancellable,
                  GError **error)
{
  virConnectPtr connection = sp_libvirt_connect (libvirt, cancellable, error);
  g_autofree char *emulator = connection != NULL ? sp_libvirt_emulator (connection, error) : NULL;
  g_autoptr (GError) no_kvm = NULL;
  g_autofree char *offered = NULL;

  if (emulator == NULL)
    return FALSE;
  offered = find_emulator (connection, "kvm", &no_kvm);
  if (!sp_qemu_probe (libvirt->host, emulator, offered == NULL ? no_kvm->message : NULL, ret_probe,
                      cancellable, error))
    return FALSE;
  add_version (connection, ret_probe);
  libvirt->acceleration = ret_probe->acceleration;
  return TRUE;
}

/* ---- who QEMU is -------------------------------------------------------------------------------------- */

char *
sp_libvirt_choose_label (const char *base, uid_t own, gboolean kvm_closed, gid_t kvm_group,
                         uid_t *ret_user)
{
  guint user, group;

  if (base == NULL || sscanf (base, "+%u:+%u", &user, &group) != 2 || user == 0 || group == 0)
    return NULL;
  /* A user of its own is in one group only: it needs libvirt's, to reach libvirt's folders. */
  *ret_user = kvm_closed && kvm_group != group ? user : own;
  return g_strdup_printf ("+%u:+%u", (guint) *ret_user, group);
}

static char *
find_base (virConnectPtr connection, GError **error)
{
  g_autofree char *text = virConnectGetCapabilities (connection);
  g_autoptr (xmlDoc) doc = text != NULL ? sp_xml_parse (text) : NULL;

  if (text == NULL)
    (void) sp_libvirt_fail (error, "libvirt does not say whom it runs QEMU as");
  return doc != NULL ? sp_xml_find (doc, "/capabilities/host/secmodel[model='dac']/baselabel")
                     : NULL;
}

char *
sp_libvirt_label (SpLibvirt *libvirt, const char *id, guint32 acceleration, uid_t *ret_user,
                  GError **error)
{
  g_autofree char *purpose = g_strconcat ("vm/", id, NULL);
  g_autoptr (GError) why = NULL;
  g_autofree char *base = NULL;
  struct stat st = { .st_mode = 0 };
  gboolean kvm_closed;
  char *label;

  *ret_user = geteuid ();
  if (!libvirt->system)
    return NULL;
  base = find_base (libvirt->connection, &why);
  kvm_closed = acceleration == SP_VM_KVM && stat ("/dev/kvm", &st) == 0 &&
               (st.st_mode & (S_IROTH | S_IWOTH)) != (S_IROTH | S_IWOTH);
  label = sp_libvirt_choose_label (base, sp_qemu_user (purpose), kvm_closed, st.st_gid, ret_user);
  if (label != NULL)
    return label;
  if (why != NULL)
    g_propagate_error (error, g_steal_pointer (&why));
  else
    g_set_error_literal (error, SP_ERROR, SP_ERROR_CONFIG,
                         "libvirt runs QEMU as root: remove user and group from "
                         "/etc/libvirt/qemu.conf and restart libvirtd");
  return NULL;
}
