/* http-get.h - one plain GET with a short patience
 *
 * For a machine that is booting: user-mode networks accept a connection before the guest listens, and then
 * nothing comes, so each try must be cut off soon and made again.
 */
#pragma once

#include <gio/gio.h>

/* @ret_status: of HTTP; @ret_body: at most 64 KiB, as text.  No proxy, no redirect.  SP_PROBLEM_UNREACHABLE
 * where nothing answers within @timeout_ms.  Blocks. */
gboolean
sp_http_get (const char *url, guint timeout_ms, guint *ret_status, char **ret_body, GError **error);
