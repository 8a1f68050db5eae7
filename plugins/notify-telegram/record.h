/* record.h - a notice as the line of text that the core remembers
 *
 * Fields are separated by spaces, records by newlines:
 *
 *      1 EXPIRES
 *      at CHAT UNSURE TEXT-DIGEST KEYS-DIGEST MESSAGE,MESSAGE,…|-
 *      button TOKEN CHOICE                     (of the place above; choice percent-encoded)
 */
#pragma once

#include "notices.h"

/* Free it. */
char *tg_record_write (const TgNotice *notice);

/* Called for each button that was read. */
typedef void (*TgRecordButton) (TgPlace *place, const char *token, const char *choice,
                                gpointer data);

/* Fill the fresh @notice from @record.  FALSE: it is not one of ours; @notice is then to be dropped. */
gboolean
tg_record_read (const char *record, TgNotice *notice, TgRecordButton button, gpointer data);
