/* tool.h - run a tool on what is the host's own
 *
 * With a clean environment, without a shell; what it prints is kept for the message where it fails.  For
 * what an agent handed over there is sandbox.h.
 */
#pragma once

#include <gio/gio.h>

/* @argv[0] is searched for in the usual folders; SP_PROBLEM_CONFIG names @package where it is missing.
 * Blocks. */
gboolean sp_tool_run (const char *const *argv, const char *package, GError **error);
