/* http-fake.h - a server on loopback that misbehaves as it is told, for one client at a time
 *
 * It knows one file, of any bytes, under /file, and how it is to be given: see HttpFault.
 */
#pragma once

#include <gio/gio.h>

typedef enum {
  HTTP_GOOD,       /* ranges, a strong ETag */
  HTTP_NO_RANGES,  /* always all of it, no ETag */
  HTTP_CUT,        /* the connection ends in the middle of what is left */
  HTTP_CHANGED,    /* as GOOD, but it is another file now: another ETag */
  HTTP_REDIRECT,   /* /file leads to /there, which is GOOD */
  HTTP_LOOP,       /* /file leads to itself */
  HTTP_TO_HTTP,    /* leads to http:// */
  HTTP_SILENT,     /* the head, and then nothing */
  HTTP_DRIP,       /* a byte now and then */
  HTTP_WRONG_PART, /* another part than the one that was asked for */
  HTTP_MISSING,    /* 404 */
} HttpFault;

typedef struct _HttpFake HttpFake;

/* @certificate: serve HTTPS with it; NULL: HTTP. */
HttpFake *http_fake_new (GBytes *file, GTlsCertificate *certificate);
void http_fake_free (HttpFake *fake);
void http_fake_set (HttpFake *fake, HttpFault fault);
/* "http://127.0.0.1:PORT/file" */
const char *http_fake_url (const HttpFake *fake);
/* How many requests there were, and the value of Range of the last ("" : none). */
guint http_fake_requests (HttpFake *fake);
char *http_fake_range (HttpFake *fake);
