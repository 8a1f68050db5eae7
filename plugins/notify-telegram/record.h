/* record.h - a notice as the line of text that the core remembers
 *
 * Fields are separated by spaces, records by newlines:
 *
 *      1 EXPIRES
 *      remind AT                               (-1: it was done)
 *      waiting SINCE                           (it has not had its turn)
 *      content WORD                            (left out where it would not fit)
 *      at CHAT UNSURE TEXT-DIGEST KEYS-DIGEST MESSAGE,MESSAGE,…|-
 *      button TOKEN CHOICE                     (of the place above; choice percent-encoded)
 *      reminder MESSAGE                        (of the place above)
 *
 * What must stay true: records of earlier versions, which lack lines, are read.
 */
#pragma once

#include "notices.h"

/* Free it. */
char *tg_record_write (const TgNotice *notice);

/* Called for each button that was read. */
typedef void (*TgRecordButton) (TgPlace *place, const char *token, const char *choice,
                                gpointer data);

/* Fill the fresh @notice from @record.  FALSE: it is not one of ours; @notice is then to be dropped. */
gboolean tg_record_read (SpHost *host, const char *record, TgNotice *notice, TgRecordButton button,
                         gpointer data);
/* Whether tg_record_write() has room for what @notice says. */
gboolean tg_record_holds_content (const TgNotice *notice);
