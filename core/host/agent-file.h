/* agent-file.h - agent.json: where an agent finds its vault, and by what it knows it
 *
 * {"url","tls_pin":"sha256//BASE64","token","owner_key"}, 0600, at $SECRET_PROXY_AGENT_FILE or
 * ~/.config/secret-proxy/agent.json.
 */
#pragma once

#include <gio/gio.h>

#include "base/secret.h"

typedef struct {
  char *url; /* https://..., without a slash at its end */
  char *tls_pin;
  SpSecret *token; /* text without a terminating zero */
  char *owner_key; /* base64 */
} SpAgentFile;

char *sp_agent_file_path (void);
/* @path NULL: the usual place.  SP_PROBLEM_NOT_FOUND, or SP_PROBLEM_CONFIG with what is wrong. */
SpAgentFile *sp_agent_file_read (const char *path, GError **error);
void sp_agent_file_free (SpAgentFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpAgentFile, sp_agent_file_free)

/* What stands in the file. */
SpSecret *sp_agent_file_text (const SpAgentFile *file);
/* Write @file to @path, 0600, atomically; what was there is replaced. */
gboolean sp_agent_file_write (const SpAgentFile *file, const char *path, GError **error);
/* Whether that could be done: before a token is made that could not be kept. */
gboolean sp_agent_file_may_write (const char *path, GError **error);
