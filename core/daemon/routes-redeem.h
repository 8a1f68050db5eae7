/* routes-redeem.h - the body that holds a value
 *
 * The one answer with a secret in it is put together in locked memory, byte by byte, because a JSON
 * writer would leave copies of the value behind.
 */
#pragma once

#include "base/secret.h"

/* {"secret","version","value","encoding"}: the value as it is ("utf-8") where it is UTF-8 (RFC 3629)
 * without NUL, else in base64 ("base64").  @secret is UTF-8. */
SpSecret *
sp_route_redeem_body (const char *secret, guint version, gconstpointer value, gsize length);
