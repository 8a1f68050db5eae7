/* private.h - what the two sides of the monitor's client share, and the parts of the child
 *
 * The parent holds no byte of the stream: it gives verbs and gets a result, in records of fixed size.
 * The child reads the stream; what comes out of it is one of five results and a few words for people.
 *
 * What must stay true: the functions that take apart what was received are pure (bytes in, a verdict
 * out), so that a fuzzer can have them; a child that was taken over can say nothing else than a child
 * that was lied to.
 */
#pragma once

#include "host/monitor/monitor.h"

#define SP_MONITOR_MAX_BYTES 1048576 /* in all, from the first to the last */
#define SP_MONITOR_MAX_LINE 262144
#define SP_MONITOR_MAX_DEPTH 16
#define SP_MONITOR_MAX_EVENTS 1000
#define SP_MONITOR_GREETING_MS 10000u

/* The child's descriptors. */
#define SP_MONITOR_CONTROL_FD 3
#define SP_MONITOR_IN_FD 4
#define SP_MONITOR_OUT_FD 5

/* ---- records between parent and child --------------------------------------------------------------- */

typedef enum {
  SP_MONITOR_ANSWERED = 1,
  SP_MONITOR_REFUSED, /* it said no; its words are in the reply */
  SP_MONITOR_CLOSED,
  SP_MONITOR_SILENT,
  SP_MONITOR_BAD, /* nonsense, or a bound was broken; which is in the reply */
  SP_MONITOR_N_RESULTS
} SpMonitorResult;

typedef struct {
  guint32 verb;
  guint32 timeout_ms;
  char argument[64]; /* NUL-terminated */
} SpMonitorAsk;

typedef struct {
  guint32 result;
  guint32 human; /* the dialect, in the first reply */
  guint32 length;
  char text[256]; /* not escaped */
} SpMonitorReply;

/* ---- monitor-verb.c: the verbs ------------------------------------------------------------------------ */

typedef struct {
  const char *before, *after; /* what stands around the argument in a command line */
  /* Said around the argument where it worked; both NULL: it then says nothing. */
  const char *done_before, *done_after;
  gboolean (*argument) (const char *argument); /* whether it is good; NULL: it takes none */
  const char *native;    /* QMP's own command for it; NULL: that of the human monitor */
  const char *arguments; /* of that, JSON; NULL: none */
  gboolean no_human;     /* the human monitor has nothing for it */
  gboolean ends;         /* it has worked when the other end has closed */
  const char *advice;    /* where it was refused */
} SpMonitorVerbRow;

const SpMonitorVerbRow *sp_monitor_verb_row (SpMonitorVerb verb);
gboolean sp_monitor_argument_is_good (SpMonitorVerb verb, const char *argument);
/* As typed at a human monitor. */
char *sp_monitor_command_line (SpMonitorVerb verb, const char *argument);
/* Whether @text, the whole answer, means that it worked. */
gboolean sp_monitor_is_success (SpMonitorVerb verb, const char *argument, const char *text);

/* ---- monitor-stream.c: bounded bytes -------------------------------------------------------------------- */

typedef struct {
  gint64 deadline; /* monotonic, microseconds; of what is done now */
  GString *buffer; /* received, not used yet */
  gsize total;     /* bytes received, ever */
  gsize line;      /* offset in @buffer where its last line begins */
  guint n_events;
  gint64 id;         /* of the last command */
  gboolean shutdown; /* an event told that the machine goes down */
  const char *wrong; /* of SP_MONITOR_BAD */
  GString *said;     /* of SP_MONITOR_REFUSED */
} SpMonitorStream;

SpMonitorStream *sp_monitor_stream_new (void);
void sp_monitor_stream_free (SpMonitorStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SpMonitorStream, sp_monitor_stream_free)

/* What is done now ends in @ms. */
void sp_monitor_stream_within (SpMonitorStream *stream, guint ms);
/* Wait for more; SP_MONITOR_ANSWERED: there is more. */
SpMonitorResult sp_monitor_stream_fill (SpMonitorStream *stream);
SpMonitorResult sp_monitor_stream_write (SpMonitorStream *stream, const char *text, gsize length);
/* Drop @length bytes from the front. */
void sp_monitor_stream_used (SpMonitorStream *stream, gsize length);
SpMonitorResult sp_monitor_stream_bad (SpMonitorStream *stream, const char *wrong);
/* Decide by what it answered. */
SpMonitorResult sp_monitor_stream_judge (SpMonitorStream *stream, SpMonitorVerb verb,
                                         const char *argument, const char *text);

/* ---- the dialects ------------------------------------------------------------------------------------------ */

typedef struct {
  /* At least a byte is there: take the whole greeting and get ready. */
  SpMonitorResult (*begin) (SpMonitorStream *stream);
  SpMonitorResult (*act) (SpMonitorStream *stream, SpMonitorVerb verb, const char *argument);
} SpMonitorDialect;

extern const SpMonitorDialect sp_monitor_qmp, sp_monitor_human;

typedef enum {
  SP_QMP_BAD,
  SP_QMP_GREETING,
  SP_QMP_EVENT,
  SP_QMP_RETURN,
  SP_QMP_ERROR,
} SpQmpKind;

typedef struct {
  SpQmpKind kind;
  gint64 id;         /* of RETURN and ERROR; -1: none */
  gboolean shutdown; /* of EVENT */
  char *text;        /* of ERROR; of RETURN where it is a string, NULL where it is an object */
  const char *wrong; /* of BAD */
} SpQmpMessage;

/* One line.  Clear @ret_message afterwards in any case. */
void sp_qmp_read (const char *line, gsize length, SpQmpMessage *ret_message);
void sp_qmp_message_clear (SpQmpMessage *message);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SpQmpMessage, sp_qmp_message_clear)

typedef enum {
  SP_HUMAN_MORE, /* it may become something */
  SP_HUMAN_WHOLE,
  SP_HUMAN_BAD,
} SpHumanScan;

SpHumanScan sp_human_read_greeting (const char *data, gsize length);
/* The echo of @command, its answer, a prompt.  @ret_text: the answer, without white space at its ends;
 * its bytes may be anything but NUL. */
SpHumanScan sp_human_read (const char *data, gsize length, const char *command, char **ret_text);
