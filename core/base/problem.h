/* problem.h - the names of what can go wrong, as the outside knows them
 *
 * One GError domain for the core.  Each code has one row in one table: the problem type of the
 * agents' API (RFC 9457), the HTTP status, the exit code of the command line.  Errors of plugins and
 * of libraries are turned into these at the border, by sp_problem_code(), and matched nowhere else.
 */
#pragma once

#include <gio/gio.h>

typedef enum {
  SP_PROBLEM_INTERNAL, /* a bug, or nothing below fits */
  SP_PROBLEM_UNAUTHORIZED,
  SP_PROBLEM_DENIED,
  SP_PROBLEM_NOT_FOUND,
  SP_PROBLEM_PENDING,
  SP_PROBLEM_CONFLICT, /* admin: the state does not allow it */
  SP_PROBLEM_EXPIRED,
  SP_PROBLEM_USED,
  SP_PROBLEM_CANCELLED,
  SP_PROBLEM_REVOKED,
  SP_PROBLEM_TOO_LARGE,
  SP_PROBLEM_IDEMPOTENCY_MISMATCH,
  SP_PROBLEM_INVALID, /* sp_problem_field() names what */
  SP_PROBLEM_METHOD_NOT_ALLOWED,
  SP_PROBLEM_TLS_REQUIRED,
  SP_PROBLEM_RATE_LIMITED, /* sp_problem_retry_after() says when */
  SP_PROBLEM_UNOWNED,
  SP_PROBLEM_LOCKED,
  SP_PROBLEM_STORE,
  SP_PROBLEM_NOTIFIER,
  SP_PROBLEM_USAGE,       /* the command line is wrong */
  SP_PROBLEM_CONFIG,      /* the config file is wrong */
  SP_PROBLEM_UNREACHABLE, /* the other side does not answer */
  SP_PROBLEM_TIMED_OUT,
  SP_PROBLEM_INTEGRITY, /* something was changed that nobody may change */
  SP_N_PROBLEMS
} SpProblemCode;

#define SP_PROBLEM (sp_problem_quark ())
GQuark sp_problem_quark (void);

#define SP_PROBLEM_URN "urn:secret-proxy:problem:"

/* Static strings and numbers of a code; any number beyond the table counts as internal. */
const char *sp_problem_slug (SpProblemCode code);
const char *sp_problem_title (SpProblemCode code);
guint sp_problem_status (SpProblemCode code); /* HTTP */
int sp_problem_exit (SpProblemCode code);     /* command line */
/* What another program of ours that ended with @status may have met; internal for all others. */
SpProblemCode sp_problem_from_exit (int status);

/* The code of a slug; FALSE where there is no such slug. */
gboolean sp_problem_from_slug (const char *slug, SpProblemCode *ret_code);

/* The code for any error: of this domain, of a plugin (SP_ERROR), of GIO; never fails. */
SpProblemCode sp_problem_code (const GError *error);

/* What an SP_PROBLEM error carries beside its message; NULL and 0 for other domains. */
const char *sp_problem_field (const GError *error);
guint sp_problem_retry_after (const GError *error); /* seconds */

/* Set @error (if not NULL).  @field: the member or option that is wrong. */
void sp_problem_set_invalid (GError **error, const char *field, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
void sp_problem_set_rate_limited (GError **error, guint retry_after, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* A new error with everything that can be sent to another process. */
GError *
sp_problem_new_full (SpProblemCode code, const char *message, const char *field, guint retry_after);
