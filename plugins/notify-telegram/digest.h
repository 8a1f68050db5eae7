/* digest.h - the one message that says how many requests wait
 */
#pragma once

#include "bot.h"

TgDigest *tg_digest_new (TgBot *bot);
void tg_digest_free (TgDigest *digest);
/* Go on with the messages from before a restart. */
void tg_digest_load (TgDigest *digest);

/* Make it say what is so now, as often as that is good for.  TRUE: come again in a while. */
gboolean tg_digest_update (TgDigest *digest);
