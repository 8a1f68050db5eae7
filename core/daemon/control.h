/* control.h - what parent and keeper say to one another: fixed records, nothing to parse
 *
 * The parent can start processes and the keeper can't; the keeper knows which are wanted and the
 * parent doesn't.  A slot is a place for one process; the keeper numbers them.
 */
#pragma once

#include <gio/gio.h>

#define SP_MAX_SLOTS 32u
#define SP_SLOT_GATE 0u
#define SP_SLOT_STORE 1u
#define SP_SLOT_NOTIFIERS 2u /* and on */

typedef enum {
  SP_CONTROL_START = 1, /* keeper: start a process in this slot */
  SP_CONTROL_KILL,      /* keeper: end it */
  SP_CONTROL_STARTED,   /* parent: it runs; with a descriptor: the link to it */
  SP_CONTROL_EXITED,    /* parent: it has ended, or could not be started */
  SP_CONTROL_END,       /* keeper: end everything, in good order; the slot means nothing */
} SpControlOp;

#define SP_CONTROL_NO_STATUS -1 /* it could not be started */

typedef struct {
  guint32 op;
  guint32 slot;
  gint32 status; /* of EXITED: as wait() has it */
} SpControl;

/* Over a SOCK_SEQPACKET socket.  @fd -1: none. */
gboolean sp_control_send (int socket, SpControlOp op, guint slot, int fd);
gboolean sp_control_send_exit (int socket, guint slot, int status);
/* 1: a record, and perhaps a descriptor (else -1).  0: the other side is gone.  -1: nothing now. */
int sp_control_receive (int socket, SpControl *ret_control, int *ret_fd);
