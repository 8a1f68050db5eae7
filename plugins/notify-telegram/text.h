/* text.h - a notice as the text of one Telegram message
 *
 * Pure functions.  Lengths: "characters" are code points, "units" are UTF-16 code units, which is what
 * Telegram counts (Bot API, "Formatting options": at most 4096 after the entities are parsed).
 */
#pragma once

#include <secret-proxy/notifier.h>

#define TG_TEXT_MAX_UNITS 4096u
#define TG_CLAIM_MAX 300u /* characters of one value that an agent wrote */
#define TG_VALUE_MAX 400u /* characters of one value of the core */
#define TG_TOAST_MAX 200u /* characters of an answer to a tap */

typedef enum {
  TG_TEXT_PLAIN,
  TG_TEXT_HTML,
} TgTextFormat;

/* The message for @notice, with @outcome on top unless that is NULL.  Both formats show the same
 * characters, at most TG_TEXT_MAX_UNITS units.  Free it. */
char *tg_text_render (const SpNotice *notice, const SpOutcome *outcome, TgTextFormat format);

/* @text on one line, without control, bidi and invisible characters, at most @max characters; what
 * was cut ends in an ellipsis, which counts.  Free it. */
char *tg_text_clean (const char *text, gsize max);

/* @text, line by line as above, at most @max_units units in all.  Free it. */
char *tg_text_lines (const char *text, gsize max_units);

/* The length of UTF-8 @text in UTF-16 code units. */
gsize tg_text_units (const char *text);
