/* problem.c - the table behind problem.h */
#include "base/problem.h"

#include <secret-proxy/plugin.h>

typedef struct {
  const char *slug;
  const char *title;
  guint status;
  int exit;
} Row;

static const Row rows[SP_N_PROBLEMS] = {
  [SP_PROBLEM_INTERNAL] = { "internal", "Internal error", 500, 1 },
  [SP_PROBLEM_UNAUTHORIZED] = { "unauthorized", "No valid token", 401, 7 },
  [SP_PROBLEM_DENIED] = { "denied", "Denied", 403, 7 },
  [SP_PROBLEM_NOT_FOUND] = { "not-found", "Not found", 404, 5 },
  [SP_PROBLEM_PENDING] = { "pending", "Not decided yet", 409, 6 },
  [SP_PROBLEM_CONFLICT] = { "conflict", "Not possible in this state", 409, 6 },
  [SP_PROBLEM_EXPIRED] = { "expired", "Expired", 410, 8 },
  [SP_PROBLEM_USED] = { "used", "Used already", 410, 6 },
  [SP_PROBLEM_CANCELLED] = { "cancelled", "Cancelled", 410, 6 },
  [SP_PROBLEM_REVOKED] = { "revoked", "Revoked", 410, 6 },
  [SP_PROBLEM_TOO_LARGE] = { "too-large", "Too large", 413, 2 },
  [SP_PROBLEM_IDEMPOTENCY_MISMATCH] = { "idempotency-mismatch",
                                        "Idempotency key used for another request", 422, 6 },
  [SP_PROBLEM_INVALID] = { "invalid", "Not valid", 400, 2 },
  [SP_PROBLEM_METHOD_NOT_ALLOWED] = { "method-not-allowed", "Method not allowed", 405, 2 },
  [SP_PROBLEM_TLS_REQUIRED] = { "tls-required", "TLS required", 426, 4 },
  [SP_PROBLEM_RATE_LIMITED] = { "rate-limited", "Too many requests", 429, 1 },
  [SP_PROBLEM_UNOWNED] = { "unowned", "Nobody owns this vault yet", 503, 4 },
  [SP_PROBLEM_LOCKED] = { "locked", "The vault is locked", 503, 4 },
  [SP_PROBLEM_STORE] = { "store", "The store does not work", 503, 1 },
  [SP_PROBLEM_NOTIFIER] = { "notifier", "No notifier works", 503, 1 },
  [SP_PROBLEM_USAGE] = { "usage", "Wrong usage", 400, 2 },
  [SP_PROBLEM_CONFIG] = { "config", "Wrong configuration", 500, 3 },
  [SP_PROBLEM_UNREACHABLE] = { "unreachable", "Not reachable", 503, 4 },
  [SP_PROBLEM_TIMED_OUT] = { "timed-out", "No answer in time", 503, 8 },
  [SP_PROBLEM_INTEGRITY] = { "integrity", "Integrity violated", 500, 9 },
};

typedef struct {
  char *field;
  guint retry_after;
} SpProblemPrivate;

static void
sp_problem_private_init (SpProblemPrivate *priv)
{
  priv->field = NULL;
  priv->retry_after = 0;
}

static void
sp_problem_private_copy (const SpProblemPrivate *from, SpProblemPrivate *to)
{
  to->field = g_strdup (from->field);
  to->retry_after = from->retry_after;
}

static void
sp_problem_private_clear (SpProblemPrivate *priv)
{
  g_clear_pointer (&priv->field, g_free);
}

G_DEFINE_EXTENDED_ERROR (SpProblem, sp_problem)

static const Row *
row_of (SpProblemCode code)
{
  return &rows[code < SP_N_PROBLEMS ? code : SP_PROBLEM_INTERNAL];
}

const char *
sp_problem_slug (SpProblemCode code)
{
  return row_of (code)->slug;
}

const char *
sp_problem_title (SpProblemCode code)
{
  return row_of (code)->title;
}

guint
sp_problem_status (SpProblemCode code)
{
  return row_of (code)->status;
}

int
sp_problem_exit (SpProblemCode code)
{
  return row_of (code)->exit;
}

SpProblemCode
sp_problem_from_exit (int status)
{
  static const SpProblemCode codes[] = {
    SP_PROBLEM_USAGE,    SP_PROBLEM_CONFIG, SP_PROBLEM_UNREACHABLE, SP_PROBLEM_NOT_FOUND,
    SP_PROBLEM_CONFLICT, SP_PROBLEM_DENIED, SP_PROBLEM_TIMED_OUT,   SP_PROBLEM_INTEGRITY,
  };

  for (gsize i = 0; i < G_N_ELEMENTS (codes); i++)
    if (sp_problem_exit (codes[i]) == status)
      return codes[i];
  return SP_PROBLEM_INTERNAL;
}

gboolean
sp_problem_from_slug (const char *slug, SpProblemCode *ret_code)
{
  for (guint i = 0; i < SP_N_PROBLEMS; i++)
    if (g_strcmp0 (slug, rows[i].slug) == 0) {
      *ret_code = i;
      return TRUE;
    }
  return FALSE;
}

static const SpProblemCode plugin_codes[] = {
  [SP_ERROR_INTERNAL] = SP_PROBLEM_INTERNAL,    [SP_ERROR_CONFIG] = SP_PROBLEM_CONFIG,
  [SP_ERROR_NOT_FOUND] = SP_PROBLEM_NOT_FOUND,  [SP_ERROR_CONFLICT] = SP_PROBLEM_CONFLICT,
  [SP_ERROR_REFUSED] = SP_PROBLEM_INTERNAL,     [SP_ERROR_UNAVAILABLE] = SP_PROBLEM_UNREACHABLE,
  [SP_ERROR_UNSUPPORTED] = SP_PROBLEM_INTERNAL,
};

SpProblemCode
sp_problem_code (const GError *error)
{
  if (error->domain == SP_PROBLEM && error->code >= 0 && error->code < SP_N_PROBLEMS)
    return error->code;
  if (error->domain == SP_ERROR && error->code >= 0 &&
      (gsize) error->code < G_N_ELEMENTS (plugin_codes))
    return plugin_codes[error->code];
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND) ||
      g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    return SP_PROBLEM_NOT_FOUND;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return SP_PROBLEM_TIMED_OUT;
  return SP_PROBLEM_INTERNAL;
}

const char *
sp_problem_field (const GError *error)
{
  return error->domain == SP_PROBLEM ? sp_problem_get_private (error)->field : NULL;
}

guint
sp_problem_retry_after (const GError *error)
{
  return error->domain == SP_PROBLEM ? sp_problem_get_private (error)->retry_after : 0;
}

GError *
sp_problem_new_full (SpProblemCode code, const char *message, const char *field, guint retry_after)
{
  GError *error =
      g_error_new_literal (SP_PROBLEM, code < SP_N_PROBLEMS ? code : SP_PROBLEM_INTERNAL, message);
  SpProblemPrivate *priv = sp_problem_get_private (error);

  priv->field = g_strdup (field);
  priv->retry_after = retry_after;
  return error;
}

void
sp_problem_set_invalid (GError **error, const char *field, const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  g_propagate_error (error, sp_problem_new_full (SP_PROBLEM_INVALID, message, field, 0));
}

void
sp_problem_set_rate_limited (GError **error, guint retry_after, const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  g_propagate_error (error,
                     sp_problem_new_full (SP_PROBLEM_RATE_LIMITED, message, NULL, retry_after));
}
