/* program.h - starting secret-proxyd, which lies beside this program */
#pragma once

#include <gio/gio.h>

/* Its path; free it. */
char *sp_program_daemon (GError **error);

/* The next process of @launcher is killed by the kernel when the thread that starts it is gone, and gets
 * a clean environment. */
void sp_program_bind (GSubprocessLauncher *launcher);
