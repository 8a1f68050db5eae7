/* config-value.c - rules of single values of the config file that no option type covers */
#include "base/config-private.h"

#include <string.h>

#include "base/problem.h"

#define MAX_PERSON 128

#define fail(error, ...) g_set_error ((error), SP_PROBLEM, SP_PROBLEM_CONFIG, __VA_ARGS__)

static char *
host_of_listen (const char *text, const char *colon)
{
  g_autofree char *host = g_strndup (text, (gsize) (colon - text));
  gsize length = strlen (host);
  gboolean bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
  g_autofree char *bare = bracketed ? g_strndup (host + 1, length - 2) : g_strdup (host);
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (bare);

  if (address == NULL)
    return NULL;
  /* Without brackets nobody could tell where an IPv6 address ends. */
  if ((g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV6) != bracketed)
    return NULL;
  return g_steal_pointer (&bare);
}

gboolean
sp_config_parse_listen (const char *text, char **ret_host, guint16 *ret_port, GError **error)
{
  const char *colon = strrchr (text, ':');
  g_autofree char *host = colon != NULL ? host_of_listen (text, colon) : NULL;
  guint64 port;

  if (host == NULL || !g_ascii_string_to_unsigned (colon + 1, 10, 1, G_MAXUINT16, &port, NULL)) {
    fail (error, "'%s' is no ADDRESS:PORT such as 127.0.0.1:3737 or [::1]:3737", text);
    return FALSE;
  }
  *ret_host = g_steal_pointer (&host);
  *ret_port = (guint16) port;
  return TRUE;
}

gboolean
sp_config_check_master_key (const char *text, GError **error)
{
  static const char *const forms[] = { "file:/", "systemd-creds:/", "exec:" };

  for (gsize i = 0; i < G_N_ELEMENTS (forms); i++) {
    gsize length = strlen (forms[i]);

    if (strncmp (text, forms[i], length) == 0 && text[length] != '\0')
      return TRUE;
  }
  fail (error, "the master key does not belong here: write file:/absolute/path, "
               "systemd-creds:/absolute/path or exec:COMMAND");
  return FALSE;
}

gboolean
sp_config_check_person (const char *text, GError **error)
{
  gsize length = strlen (text);

  for (const char *p = text; *p != '\0'; p++)
    if ((guchar) *p <= ' ' || *p == 0x7f)
      length = 0;
  if (length > 0 && length <= MAX_PERSON)
    return TRUE;
  fail (error, "an id at a notifier is 1 to %d bytes without spaces", MAX_PERSON);
  return FALSE;
}
