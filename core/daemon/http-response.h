/* http-response.h - an answer as bytes
 *
 * Each answer has a length, is never stored and never guessed at by a browser, and says nothing about
 * the server that made it.
 */
#pragma once

#include <gio/gio.h>

#include "base/secret.h"

typedef struct {
  guint status;
  const char *type;     /* NULL: application/json */
  const char *location; /* NULL: none.  Visible ASCII, as is the next one */
  const char *allow;    /* NULL: none */
  guint retry_after;    /* seconds; 0: none */
  const char *body;     /* @length bytes; NULL where the body is @secret */
  gsize length;
  SpSecret *secret; /* the body that holds a value; never copied */
} SpHttpResponse;

/* Append the head of @response, and its body unless that is a secret or @no_body; @close: say that no
 * other answer follows on this connection. */
void sp_http_response_append (const SpHttpResponse *response, gboolean no_body, gboolean close,
                              GString *out);

/* Make @error an RFC 9457 problem.  @body holds the text, and must outlive @ret_response.  The words
 * of an error that is not the client's stay here: they may tell of the inside. */
void sp_http_response_problem (const GError *error, const char *allow, GString *body,
                               SpHttpResponse *ret_response);
