/* answers.h - from what came back to the core
 *
 * Here it is only made sure that the service, or the token of a button, says so; whether the person may decide,
 * and whether it still matters, is the core's business.
 */
#pragma once

#include "hook.h"

/* Give the answer in the reply to a notice, if there is one, to the core.  FALSE: the core could not record it,
 * so it must come again. */
gboolean wh_answers_from_reply (WhHook *hook, const WhReply *reply);

/* Whether @reply is signed by the service, and now; else @ret_why, if not NULL, is why not, and whoever should
 * look into that is told. */
gboolean wh_answers_check (WhHook *hook, const WhReply *reply, char **ret_why);

/* {"notice","choice","person"} from the service. */
SpAnswerResult wh_answers_object (WhHook *hook, JsonNode *node, const char *evidence);
/* The text of a message that anybody may have sent: a token, or not. */
SpAnswerResult wh_answers_token (WhHook *hook, const char *text, const char *evidence);
