/* message.h - what a program is told, and what it says: JSON both ways */
#pragma once

#include <secret-proxy/json.h>
#include <secret-proxy/notifier.h>

/* One line of JSON, newline included.  @outcome NULL: it is posted.  @host NULL: without what only a running
 * instance knows. */
char *
nx_message (SpHost *host, const char *socket, const SpNotice *notice, const SpOutcome *outcome);

typedef struct {
  char *notice; /* NULL: not given */
  char *choice, *person;
} NxAnswer;

/* {"choice","person"} and, where @with_notice, "notice".  Nothing else may be in it. */
gboolean nx_answer_read (SpHost *host, const char *text, gsize length, gboolean with_notice,
                         NxAnswer *ret_answer, GError **error);
void nx_answer_clear (NxAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (NxAnswer, nx_answer_clear)

/* "taken", "not-allowed", … */
const char *nx_result_word (SpAnswerResult result);
