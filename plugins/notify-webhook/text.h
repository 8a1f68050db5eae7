/* text.h - a notice as plain text
 *
 * Pure.  What the core says comes first; what an agent says comes last, under a line that calls it a claim,
 * so that whoever cuts the text cuts that.  Values are one line each by contract (notifier.h), so none can
 * imitate a field.
 */
#pragma once

#include <secret-proxy/notifier.h>

#define WH_CLAIM_MAX 300u /* characters of one value that an agent wrote */
#define WH_VALUE_MAX 400u /* characters of one value of the core */

/* @text on one line, without control and format characters, at most @max characters; what was cut ends in an
 * ellipsis.  Free it. */
char *wh_text_clean (const char *text, gsize max);

/* Lines "LABEL: VALUE" of what the core wrote, and when it runs out.  Free it. */
char *wh_text_core (const SpNotice *notice);
/* The same of what an agent wrote, under a heading; NULL where there is nothing.  Free it. */
char *wh_text_claims (const SpNotice *notice);
/* Both.  Free it. */
char *wh_text_body (const SpNotice *notice);

/* The first @max bytes of UTF-8 @text, or fewer, so that no character is cut.  Free it. */
char *wh_text_cut_bytes (const char *text, gsize max);

/* The first line of @length bytes at @body that came from outside, cleaned; "" where there is none.  Free it. */
char *wh_text_first_line (const char *body, gsize length);
