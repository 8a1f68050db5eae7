/* pace.h - how fast messages may be sent to one chat
 *
 * Bot API, "Broadcasting": about one message a second to a chat, 20 a minute to a group.  Keeping below
 * that is cheaper than being told to wait.
 */
#pragma once

#include <glib.h>

typedef struct _TgPace TgPace;

TgPace *tg_pace_new (void);
void tg_pace_free (TgPace *pace);

/* Milliseconds from @now (monotonic) until @chat may get a message; 0: now. */
guint tg_pace_wait (TgPace *pace, gint64 chat, gint64 now);
/* A message to @chat leaves at @now. */
void tg_pace_mark (TgPace *pace, gint64 chat, gint64 now);
