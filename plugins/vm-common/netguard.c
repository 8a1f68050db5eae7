/* netguard.c - keeps a guest with network = user away from the host's loopback
 *
 * QEMU's user network (libslirp) lets a guest reach the host's loopback as 10.0.2.2, where databases and
 * admin interfaces listen that trust whoever reaches them; QEMU 7.2 has no option against it.  So QEMU is
 * started with this library before the C library: what connects or sends to a loopback address is refused,
 * but for the ports that the rules name, and DNS where the host's resolver is on its loopback.
 *
 * What must stay true: the program goes on, and it says that it works (SP_NETGUARD_FD or SP_NETGUARD_SHOW), only
 * where its functions are those that QEMU and its libraries call, and the plugin starts no guest without that.  No GLib, no memory of its own:
 * it runs inside QEMU, under its system call filter.
 */
#include "netguard.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXPORT __attribute__ ((visibility ("default")))
#define DNS_PORT 53

/* Set by the constructor, read only after that. */
static struct {
  unsigned short ports[SP_NETGUARD_MAX_PORTS];
  unsigned n_ports;
  in_addr_t resolvers[SP_NETGUARD_MAX_RESOLVERS];
  unsigned n_resolvers;
  int (*connect) (int, const struct sockaddr *, socklen_t);
  ssize_t (*sendto) (int, const void *, size_t, int, const struct sockaddr *, socklen_t);
  ssize_t (*sendmsg) (int, const struct msghdr *, int);
  int (*sendmmsg) (int, struct mmsghdr *, unsigned, int);
} guard;

/* ---- the decision ----------------------------------------------------------------------------------------- */

static int
is_allowed (in_addr_t address, in_port_t port)
{
  for (unsigned i = 0; i < guard.n_ports; i++)
    if (guard.ports[i] == port)
      return 1;
  for (unsigned i = 0; port == DNS_PORT && i < guard.n_resolvers; i++)
    if (guard.resolvers[i] == address)
      return 1;
  return 0;
}

/* 127.0.0.0/8, and 0.0.0.0/8, which Linux takes for this host. */
static int
is_refused_v4 (in_addr_t address, in_port_t port)
{
  in_addr_t net = ntohl (address) >> 24;

  return (net == 127 || net == 0) && !is_allowed (address, port);
}

static int
is_refused_v6 (const struct sockaddr_in6 *in6)
{
  in_addr_t v4;

  if (IN6_IS_ADDR_LOOPBACK (&in6->sin6_addr) || IN6_IS_ADDR_UNSPECIFIED (&in6->sin6_addr))
    return !is_allowed (0, ntohs (in6->sin6_port));
  memcpy (&v4, &in6->sin6_addr.s6_addr[12], sizeof v4);
  return (IN6_IS_ADDR_V4MAPPED (&in6->sin6_addr) || IN6_IS_ADDR_V4COMPAT (&in6->sin6_addr)) &&
         is_refused_v4 (v4, ntohs (in6->sin6_port));
}

static int
is_refused (const struct sockaddr *address, socklen_t length)
{
  struct sockaddr_in in;
  struct sockaddr_in6 in6;

  /* No family at all means IPv4 to a datagram socket of Linux. */
  if (address != NULL && length >= sizeof in &&
      (address->sa_family == AF_INET || address->sa_family == AF_UNSPEC)) {
    memcpy (&in, address, sizeof in);
    return is_refused_v4 (in.sin_addr.s_addr, ntohs (in.sin_port));
  }
  if (address != NULL && length >= sizeof in6 && address->sa_family == AF_INET6) {
    memcpy (&in6, address, sizeof in6);
    return is_refused_v6 (&in6);
  }
  return 0;
}

/* ---- the functions in front of the C library's ------------------------------------------------------ */

/* By other names here, since the C library declares its own with types that no other code can write. */
int front_connect (int fd, const struct sockaddr *address, socklen_t length) __asm__("connect");
ssize_t front_sendto (int fd, const void *data, size_t n, int flags, const struct sockaddr *address,
                      socklen_t length) __asm__("sendto");
ssize_t front_sendmsg (int fd, const struct msghdr *message, int flags) __asm__("sendmsg");
int front_sendmmsg (int fd, struct mmsghdr *messages, unsigned n, int flags) __asm__("sendmmsg");

EXPORT int
front_connect (int fd, const struct sockaddr *address, socklen_t length)
{
  /* Without a family it ends a connection. */
  if (address != NULL && address->sa_family != AF_UNSPEC && is_refused (address, length)) {
    errno = ECONNREFUSED;
    return -1;
  }
  return guard.connect (fd, address, length);
}

EXPORT ssize_t
front_sendto (int fd, const void *data, size_t n, int flags, const struct sockaddr *address,
              socklen_t length)
{
  if (is_refused (address, length)) {
    errno = ECONNREFUSED;
    return -1;
  }
  return guard.sendto (fd, data, n, flags, address, length);
}

EXPORT ssize_t
front_sendmsg (int fd, const struct msghdr *message, int flags)
{
  if (is_refused (message->msg_name, message->msg_namelen)) {
    errno = ECONNREFUSED;
    return -1;
  }
  return guard.sendmsg (fd, message, flags);
}

EXPORT int
front_sendmmsg (int fd, struct mmsghdr *messages, unsigned n, int flags)
{
  for (unsigned i = 0; i < n; i++)
    if (is_refused (messages[i].msg_hdr.msg_name, messages[i].msg_hdr.msg_namelen)) {
      errno = ECONNREFUSED;
      return -1;
    }
  return guard.sendmmsg (fd, messages, n, flags);
}

/* ---- the beginning ---------------------------------------------------------------------------------------- */

static void
read_ports (const char *rules)
{
  while (*rules >= '0' && *rules <= '9' && guard.n_ports < SP_NETGUARD_MAX_PORTS) {
    char *end;
    unsigned long port = strtoul (rules, &end, 10);

    if (port > 0 && port <= 65535)
      guard.ports[guard.n_ports++] = (unsigned short) port;
    rules = *end == ',' ? end + 1 : end;
  }
}

static void
read_resolvers (const char *rules)
{
  while (*rules != '\0' && guard.n_resolvers < SP_NETGUARD_MAX_RESOLVERS) {
    size_t length = strcspn (rules, ",");
    char text[INET_ADDRSTRLEN] = "";
    struct in_addr address;

    if (length < sizeof text)
      memcpy (text, rules, length);
    if (inet_pton (AF_INET, text, &address) == 1)
      guard.resolvers[guard.n_resolvers++] = address.s_addr;
    rules += length + (rules[length] == ',' ? 1 : 0);
  }
}

typedef void (*AnyFunc) (void);

/* The C library's function after ours.  0: there is none, or another is called instead of ours. */
static int
take_over (const char *name, AnyFunc ours, void *ret_next)
{
  void *next = dlsym (RTLD_NEXT, name);
  void *first = dlsym (RTLD_DEFAULT, name);

  memcpy (ret_next, &next, sizeof next);
  return next != NULL && memcmp (&first, &ours, sizeof first) == 0;
}

static int
say_so (void)
{
  const char byte = SP_NETGUARD_BYTE;

  if (getenv (SP_NETGUARD_SHOW) != NULL)
    return memfd_create (SP_NETGUARD_SHOWN, MFD_CLOEXEC) >= 0;
  return write (SP_NETGUARD_FD, &byte, 1) == 1 && close (SP_NETGUARD_FD) == 0;
}

__attribute__ ((constructor)) static void
begin (void)
{
  const char *rules = getenv (SP_NETGUARD_RULES);
  const char *resolvers = rules != NULL ? strchr (rules, ';') : NULL;
  int ok = take_over ("connect", (AnyFunc) front_connect, &guard.connect);

  ok = take_over ("sendto", (AnyFunc) front_sendto, &guard.sendto) && ok;
  ok = take_over ("sendmsg", (AnyFunc) front_sendmsg, &guard.sendmsg) && ok;
  ok = take_over ("sendmmsg", (AnyFunc) front_sendmmsg, &guard.sendmmsg) && ok;
  if (resolvers != NULL) {
    read_ports (rules);
    read_resolvers (resolvers + 1);
  }
  if (!ok || !say_so ())
    _exit (125);
}
