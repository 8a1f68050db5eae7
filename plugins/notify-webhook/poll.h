/* poll.h - fetching answers, again and again
 */
#pragma once

#include "hook.h"

/* Polls from now on. */
WhPoll *wh_poll_new (WhHook *hook);
/* A notice went out: somebody may answer soon. */
void wh_poll_wake (WhPoll *poll);
/* After wh_http_close(). */
void wh_poll_free (WhPoll *poll);
