/* connection.h - the connection to libvirt's daemon, and what comes over it by itself
 *
 * It is made when it is first needed, and again after it was lost.  A daemon that hangs is noticed: while it
 * connects by a deadline, later by keepalive messages.
 */
#pragma once

#include <libvirt/libvirt.h>

#include "machines.h"

typedef struct _SpLibvirt SpLibvirt;

typedef enum {
  SP_LIBVIRT_STOPPED = 1, /* detail: virDomainEventStoppedDetailType */
  SP_LIBVIRT_RESUMED,
  SP_LIBVIRT_CHANGED, /* paused, edited, a device came or went */
  SP_LIBVIRT_CAUSE,   /* of an end that follows; detail: SpLibvirtCause */
  SP_LIBVIRT_LOST,    /* the connection; @id is NULL */
} SpLibvirtEvent;

/* What libvirt calls a shut-down alike. */
typedef enum {
  SP_LIBVIRT_NO_CAUSE = 0, /* none was heard of */
  SP_LIBVIRT_POWER_OFF,    /* by the guest; libvirt ends QEMU by a signal then */
  SP_LIBVIRT_GUEST_RESET,
  SP_LIBVIRT_OTHERS_RESET,
  SP_LIBVIRT_OTHERS_BUTTON, /* somebody has asked the guest to power off */
  SP_LIBVIRT_SIGNAL,        /* to QEMU; libvirt's own, too */
  SP_LIBVIRT_N_CAUSES
} SpLibvirtCause;

typedef void (*SpLibvirtEventFunc) (const char *id, SpLibvirtEvent event, int detail,
                                    gpointer data);

/* The plugin: what all machines share. */
struct _SpLibvirt {
  SpQemuMachines machines; /* first */
  SpHost *host;
  const char *uri;
  gboolean system;          /* qemu:///system, with QEMU as users of their own */
  const char *boot_folder;  /* NULL: QEMU runs as we do, and needs no copies */
  const char *const *ports; /* of the host's loopback, that guests may reach */
  guint32 acceleration;     /* what the last probe chose; SP_VM_NONE: not probed yet */

  GMainContext *context;    /* where it is heard; NULL: nowhere yet */
  GSource *mailbox;         /* wakes it for: */
  GAsyncQueue *messages;    /* what libvirt has told its own thread */
  virConnectPtr connection; /* NULL: none */
  SpLibvirtEventFunc on_event;
  gpointer data;
};

/* Before anything else; events come on the thread-default context. */
void sp_libvirt_begin (SpLibvirt *libvirt);
/* The opposite, after the last call. */
void sp_libvirt_end (SpLibvirt *libvirt);
/* The connection, made where there is none.  NULL: the error says what to do. */
virConnectPtr sp_libvirt_connect (SpLibvirt *libvirt, GCancellable *cancellable, GError **error);
/* After a call failed with @error: say so where the daemon is gone. */
void sp_libvirt_explain_loss (const SpLibvirt *libvirt, GError **error);
void sp_libvirt_disconnect (SpLibvirt *libvirt);
