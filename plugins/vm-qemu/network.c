/* network.c - network.h with /dev/net/tun and the ioctls of bridges
 *
 * QEMU's own helper can't do this: QEMU may start no program.
 */
#include "network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static gboolean
check_device (const SpVmSpec *spec, GError **error)
{
  gboolean bridge = spec->network == SP_VM_NETWORK_BRIDGE;

  if (if_nametoindex (spec->bridge) != 0)
    return TRUE;
  g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
               "there is no %s '%s': make it (%s), or name another one with `bridge`",
               bridge ? "bridge" : "tap device", spec->bridge,
               bridge ? "ip link add NAME type bridge" : "ip tuntap add NAME mode tap");
  return FALSE;
}

/* @name: of an existing one, or a pattern; the name that it got afterwards. */
static int
open_tun (char name[IFNAMSIZ], GError **error)
{
  struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
  int fd = open ("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

  (void) g_strlcpy (request.ifr_name, name, IFNAMSIZ);
  if (fd >= 0 && ioctl (fd, TUNSETIFF, &request) == 0) {
    (void) g_strlcpy (name, request.ifr_name, IFNAMSIZ);
    return fd;
  }
  g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
               "cannot open the tap device '%s': %s; this needs root, or a tap device of this user "
               "that nothing else uses; network = user needs neither",
               name, g_strerror (errno));
  if (fd >= 0)
    (void) close (fd);
  return -1;
}

/* A bridge takes the lowest address of its ports: one that begins with fe never is. */
static gboolean
raise_mac (int control, const char *tap)
{
  struct ifreq request = { .ifr_flags = 0 };

  (void) g_strlcpy (request.ifr_name, tap, IFNAMSIZ);
  if (ioctl (control, SIOCGIFHWADDR, &request) != 0)
    return FALSE;
  request.ifr_hwaddr.sa_data[0] = (char) 0xfe;
  return ioctl (control, SIOCSIFHWADDR, &request) == 0;
}

static gboolean
bring_up (int control, const char *tap)
{
  struct ifreq request = { .ifr_flags = 0 };

  (void) g_strlcpy (request.ifr_name, tap, IFNAMSIZ);
  if (ioctl (control, SIOCGIFFLAGS, &request) != 0)
    return FALSE;
  request.ifr_flags |= IFF_UP;
  return ioctl (control, SIOCSIFFLAGS, &request) == 0;
}

static gboolean
join_bridge (const char *tap, const char *bridge, GError **error)
{
  struct ifreq request = { .ifr_flags = 0 };
  int control = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  gboolean ok;

  (void) g_strlcpy (request.ifr_name, bridge, IFNAMSIZ);
  request.ifr_ifindex = (int) if_nametoindex (tap);
  ok = control >= 0 && raise_mac (control, tap) && ioctl (control, SIOCBRADDIF, &request) == 0 &&
       bring_up (control, tap);
  if (!ok)
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
                 "cannot put a tap device into the bridge '%s': %s; it must be a bridge, and this "
                 "needs root",
                 bridge, g_strerror (errno));
  if (control >= 0)
    (void) close (control);
  return ok;
}

int
sp_qemu_network_open_tap (const SpVmSpec *spec, GError **error)
{
  gboolean bridge = spec->network == SP_VM_NETWORK_BRIDGE;
  char name[IFNAMSIZ];
  int fd;

  if (!check_device (spec, error))
    return -1;
  (void) g_strlcpy (name, bridge ? "sp%d" : spec->bridge, sizeof name);
  fd = open_tun (name, error);
  if (fd < 0 || !bridge || join_bridge (name, spec->bridge, error))
    return fd;
  (void) close (fd);
  return -1;
}
