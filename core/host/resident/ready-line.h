/* ready-line.h - how a resident process says that its vault is there
 *
 * One line on stdout, {"ready":true,"url","tls_pin","admin","pid","acceleration"?}; and READY=1 to
 * $NOTIFY_SOCKET where a service manager waits for it (sd_notify(3)).
 */
#pragma once

#include "host/resident/service.h"

/* @acceleration NULL: there is no machine. */
void sp_ready_line (SpService *service, const char *acceleration);
