/* errors.c - errors.h
 *
 * The text may carry what QEMU wrote, and so what a guest had a part in: it is bounded and shown without
 * control characters.
 */
#include "errors.h"

#include <libvirt/virterror.h>

#define MAX_TEXT 400

static const struct {
  int theirs;
  SpErrorCode ours;
} codes[] = {
  { VIR_ERR_NO_CONNECT, SP_ERROR_UNAVAILABLE },
  { VIR_ERR_RPC, SP_ERROR_UNAVAILABLE },
  { VIR_ERR_SYSTEM_ERROR, SP_ERROR_UNAVAILABLE },
  { VIR_ERR_OPERATION_TIMEOUT, SP_ERROR_UNAVAILABLE },
  { VIR_ERR_OPERATION_ABORTED, SP_ERROR_UNAVAILABLE },
  { VIR_ERR_AGENT_UNRESPONSIVE, SP_ERROR_UNAVAILABLE },
  { VIR_ERR_INTERNAL_ERROR, SP_ERROR_UNAVAILABLE }, /* QEMU did not come up */
  { VIR_ERR_AUTH_FAILED, SP_ERROR_REFUSED },
  { VIR_ERR_AUTH_CANCELLED, SP_ERROR_REFUSED },
  { VIR_ERR_AUTH_UNAVAILABLE, SP_ERROR_REFUSED },
  { VIR_ERR_ACCESS_DENIED, SP_ERROR_REFUSED },
  { VIR_ERR_OPERATION_DENIED, SP_ERROR_REFUSED },
  { VIR_ERR_NO_DOMAIN, SP_ERROR_NOT_FOUND },
  { VIR_ERR_NO_NETWORK, SP_ERROR_CONFIG },
  { VIR_ERR_CONFIG_UNSUPPORTED, SP_ERROR_UNSUPPORTED },
  { VIR_ERR_NO_SUPPORT, SP_ERROR_UNSUPPORTED },
  { VIR_ERR_OPERATION_UNSUPPORTED, SP_ERROR_UNSUPPORTED },
  { VIR_ERR_ARGUMENT_UNSUPPORTED, SP_ERROR_UNSUPPORTED },
  { VIR_ERR_OPERATION_INVALID, SP_ERROR_CONFLICT },
  { VIR_ERR_OPERATION_FAILED, SP_ERROR_CONFLICT }, /* a name or a number is taken */
  { VIR_ERR_DOM_EXIST, SP_ERROR_CONFLICT },
  { VIR_ERR_RESOURCE_BUSY, SP_ERROR_CONFLICT },
  { VIR_ERR_XML_ERROR, SP_ERROR_INTERNAL },
  { VIR_ERR_INVALID_ARG, SP_ERROR_INTERNAL },
};

static void
keep_silent (void *data, virErrorPtr error)
{
}

void
sp_libvirt_errors_silence (void)
{
  virSetErrorFunc (NULL, keep_silent);
}

SpErrorCode
sp_libvirt_code (int code)
{
  for (gsize i = 0; i < G_N_ELEMENTS (codes); i++)
    if (codes[i].theirs == code)
      return codes[i].ours;
  return SP_ERROR_UNAVAILABLE;
}

static char *
presentable (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text != NULL ? text : "no reason given", -1);

  for (char *p = valid; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  g_strchomp (valid);
  return g_utf8_strlen (valid, -1) > MAX_TEXT ? g_utf8_substring (valid, 0, MAX_TEXT)
                                              : g_steal_pointer (&valid);
}

gboolean
sp_libvirt_fail (GError **error, const char *format, ...)
{
  virErrorPtr last = virGetLastError ();
  g_autofree char *why = presentable (last != NULL ? last->message : NULL);
  g_autofree char *what = NULL;
  va_list list;

  va_start (list, format);
  what = g_strdup_vprintf (format, list);
  va_end (list);
  g_set_error (error, SP_ERROR, sp_libvirt_code (last != NULL ? last->code : VIR_ERR_OK), "%s: %s",
               what, why);
  return FALSE;
}

gboolean
sp_libvirt_is_gone (void)
{
  return virGetLastErrorCode () == VIR_ERR_NO_DOMAIN;
}
