/* control.c - control.h: one record a packet, a descriptor by SCM_RIGHTS */
#include "daemon/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef union {
  char data[CMSG_SPACE (sizeof (int))];
  struct cmsghdr align;
} Ancillary;

static gboolean
send_record (int socket, SpControl *control, int fd)
{
  struct iovec iov = { control, sizeof *control };
  struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
  Ancillary ancillary = { .data = { 0 } };
  gssize n;

  if (fd >= 0) {
    struct cmsghdr *header;

    message.msg_control = ancillary.data;
    message.msg_controllen = sizeof ancillary.data;
    header = CMSG_FIRSTHDR (&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN (sizeof fd);
    memcpy (CMSG_DATA (header), &fd, sizeof fd);
  }
  do
    n = sendmsg (socket, &message, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n == sizeof *control;
}

gboolean
sp_control_send (int socket, SpControlOp op, guint slot, int fd)
{
  SpControl control = { .op = (guint32) op, .slot = slot };

  return send_record (socket, &control, fd);
}

gboolean
sp_control_send_exit (int socket, guint slot, int status)
{
  SpControl control = { SP_CONTROL_EXITED, slot, status };

  return send_record (socket, &control, -1);
}

static int
take_fd (struct msghdr *message)
{
  struct cmsghdr *header = CMSG_FIRSTHDR (message);
  int fd = -1;

  if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN (sizeof fd))
    memcpy (&fd, CMSG_DATA (header), sizeof fd);
  return fd;
}

int
sp_control_receive (int socket, SpControl *ret_control, int *ret_fd)
{
  struct iovec iov = { ret_control, sizeof *ret_control };
  Ancillary ancillary;
  struct msghdr message = { .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = ancillary.data,
                            .msg_controllen = sizeof ancillary.data };
  gssize n = recvmsg (socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

  *ret_fd = -1;
  if (n < 0)
    return errno == EAGAIN || errno == EINTR ? -1 : 0;
  if (n == 0)
    return 0;
  *ret_fd = take_fd (&message);
  if (n == sizeof *ret_control && ret_control->slot < SP_MAX_SLOTS)
    return 1;
  if (*ret_fd >= 0)
    (void) close (*ret_fd);
  return -1;
}
