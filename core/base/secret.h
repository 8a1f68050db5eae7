/* secret.h - memory for secrets: locked, left out of dumps, wiped, never printed
 *
 * An SpSecret is a counted piece of such memory.  Its pages hold nothing else, are not swapped
 * (mlock), not in a core dump (MADV_DONTDUMP), not in a forked child (MADV_WIPEONFORK), and are
 * wiped before they go back.  There is no call that turns it into a string for a message.
 */
#pragma once

#include <gio/gio.h>

typedef struct _SpSecret SpSecret;

/* @length zero bytes; @length may be 0.  Aborts where the system has no memory left. */
SpSecret *sp_secret_new (gsize length);
SpSecret *sp_secret_new_from (gconstpointer data, gsize length);
/* @length random bytes of GnuTLS's generator. */
SpSecret *sp_secret_new_random (gsize length);
SpSecret *sp_secret_ref (SpSecret *secret);
void sp_secret_unref (SpSecret *secret);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpSecret, sp_secret_unref)

guint8 *sp_secret_data (SpSecret *secret);
gsize sp_secret_length (const SpSecret *secret);
/* Make it shorter; what is cut off is wiped. */
void sp_secret_truncate (SpSecret *secret, gsize length);

/* A GBytes on the same memory; holds a reference. */
GBytes *sp_secret_to_bytes (SpSecret *secret);

/* Base64 both ways, without a copy elsewhere.  sp_secret_from_base64() is NULL where @text is not
 * strict base64 (RFC 4648 section 4, padding required). */
SpSecret *sp_secret_to_base64 (gconstpointer data, gsize length);
SpSecret *sp_secret_from_base64 (const char *text, gsize length);

/* Read all of @fd, at most @max bytes, into locked memory. */
SpSecret *sp_secret_read_fd (int fd, gsize max, GError **error);

/* Wipe in a way that the compiler keeps. */
void sp_wipe (gpointer data, gsize length);
/* Equal content, in time that depends on @length only. */
gboolean sp_secret_equal (gconstpointer a, gconstpointer b, gsize length);
