/* probe.h - whether the service is there at all, asked at start and while there is trouble
 *
 * Without it a service that was away once would stay in trouble until somebody happens to ask for a secret.
 */
#pragma once

#include "hook.h"

/* Asks at once. */
WhProbe *wh_probe_new (WhHook *hook);
/* Ask soon, unless that is under way. */
void wh_probe_soon (WhProbe *probe);
/* After wh_http_close(). */
void wh_probe_free (WhProbe *probe);
