/* console.h - from a guest's console into its log */
#pragma once

#include "log.h"

typedef struct _SpQemuConsole SpQemuConsole;

/* Takes @fd, where the console comes out, and @log, which may be NULL: then it is thrown away.  Read on the
 * thread-default context. */
SpQemuConsole *sp_qemu_console_new (int fd, SpQemuLog *log);
/* Takes what is there already. */
void sp_qemu_console_free (SpQemuConsole *console);
