/* ssh-key.h - a new Ed25519 key pair in the forms that OpenSSH reads
 *
 * Written here instead of by ssh-keygen, so that a private key is in locked memory until its own file is
 * written, and the machines that make one need no SSH client.
 */
#pragma once

#include "base/secret.h"

/* The private half as a file of OpenSSH's (openssh-key-v1, no passphrase), and the line of the public half
 * without a newline: "ssh-ed25519 BASE64 COMMENT".  @comment: one line of UTF-8. */
gboolean
sp_ssh_key_new (const char *comment, SpSecret **ret_private, char **ret_public, GError **error);
/* The line of known_hosts for such a public half at @address (numeric) and @port; with its newline. */
char *sp_ssh_known_host (const char *address, guint port, const char *public_line);
