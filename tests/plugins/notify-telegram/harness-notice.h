/* harness-notice.h - a notice as the harness is given it
 */
#pragma once

#include <secret-proxy/json.h>
#include <secret-proxy/notifier.h>

typedef struct {
  SpNotice notice;
  SpField fields[64];
  SpChoice choices[16];
} HarnessNotice;

/* Fill the zeroed @out, which points into @command. */
void harness_notice_read (JsonObject *command, HarnessNotice *out);
