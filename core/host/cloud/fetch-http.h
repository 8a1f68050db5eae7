/* fetch-http.h - one GET, through its redirects, up to the first byte of the body */
#pragma once

#include <libsoup/soup.h>

typedef struct {
  SoupSession *session;
  SoupMessage *message;
  GInputStream *stream;
  guint status;    /* 200, 206, 416 */
  guint64 start;   /* of 206: where the body begins */
  guint64 total;   /* of the whole file; 0: the server does not say */
  char *validator; /* for If-Range: a strong ETag, or the time of the last change; NULL: none */
} SpHttpBody;

/* @from and @validator: go on there, if the file is still the one of @validator; 0 and NULL: all of it.
 * @private_only: HTTPS, or this machine.  SP_PROBLEM_UNREACHABLE with the address and why. */
gboolean sp_http_body_open (SpHttpBody *body, const char *url, guint64 from, const char *validator,
                            gboolean private_only, guint stall_s, GError **error);
void sp_http_body_clear (SpHttpBody *body);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SpHttpBody, sp_http_body_clear)

/* SP_PROBLEM_TIMED_OUT or SP_PROBLEM_UNREACHABLE for what reading from it ended with. */
void sp_http_body_explain (GError **error, const char *url, const GError *cause);
