/* random.h - unguessable names */
#pragma once

#include <gio/gio.h>

/* @bytes random bytes of GnuTLS's generator as base64url (RFC 4648 section 5) without padding. */
char *sp_random_id (gsize bytes);
/* @length characters that a person can't mix up when reading them aloud. */
char *sp_random_code (gsize length);
/* A number below @limit (at least 1), every one as likely. */
guint sp_random_below (guint limit);
/* The same alphabet for bytes that are at hand. */
char *sp_base64url (gconstpointer data, gsize length);
/* Lower-case hex. */
char *sp_hex (gconstpointer data, gsize length);
