/* ready.h - the file by which an agent says that its VM is ready for takeover
 *
 * `{"format":1,"image":"sha256:HEX","port":3737}`, and nothing else: it is a signal and names what the
 * agent claims to have booted; the claim is proven later by comparing bytes.  The plain-text file of
 * the first recipe, READY_FOR_TAKEOVER and a newline, says that much less.
 */
#pragma once

#include <gio/gio.h>

typedef enum {
  SP_READY_JSON,
  SP_READY_PLAIN, /* neither image nor port are known */
} SpReadyForm;

typedef struct {
  SpReadyForm form;
  char *image;  /* 64 hex digits, in lower case; NULL: not known */
  guint16 port; /* of the agent's side; 0: not known */
} SpReady;

/* SP_PROBLEM_INTEGRITY, with the field where it is one of ours. */
SpReady *sp_ready_parse (const char *text, gsize length, GError **error);
void sp_ready_free (SpReady *ready);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpReady, sp_ready_free)
