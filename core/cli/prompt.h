/* prompt.h - what is asked of a person at the terminal */
#pragma once

#include "base/secret.h"
#include "cli/cli.h"

/* Whether @what may be done: --yes was given, or the person on the terminal says so.  Otherwise
 * FALSE: SP_PROBLEM_USAGE where there is nobody to ask, SP_PROBLEM_CANCELLED after a "no". */
gboolean sp_confirm (const SpCli *cli, GError **error, const char *what, ...) G_GNUC_PRINTF (3, 4);

/* A secret value of at most @max bytes: all of stdin, unchanged; on a terminal one line without echo
 * and without its newline. */
SpSecret *sp_read_value (gsize max, GError **error);
