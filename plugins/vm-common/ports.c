/* ports.c - ports.h: by listening there for a moment */
#include "ports.h"

static gboolean
check_port (const SpVmForward *forward, GError **error)
{
  g_autoptr (GSocketAddress) address =
      g_inet_socket_address_new_from_string (forward->address, forward->port);
  g_autoptr (GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error);
  g_autoptr (GError) why = NULL;

  if (socket == NULL)
    return FALSE;
  /* Listening too: two may be bound to a port where nobody listens yet. */
  if (g_socket_bind (socket, address, TRUE, &why) && g_socket_listen (socket, &why))
    return TRUE;
  if (g_error_matches (why, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE))
    g_set_error (error, SP_ERROR, SP_ERROR_CONFLICT,
                 "%s:%u is in use by another program: end that, or choose another with `listen`",
                 forward->address, forward->port);
  else
    g_set_error (error, SP_ERROR, SP_ERROR_CONFIG,
                 "cannot listen on %s:%u: %s; choose another address with `listen`",
                 forward->address, forward->port, why->message);
  return FALSE;
}

gboolean
sp_qemu_ports_check (const SpVmSpec *spec, GError **error)
{
  for (gsize i = 0; i < spec->n_forwards; i++)
    if (!check_port (&spec->forwards[i], error))
      return FALSE;
  return TRUE;
}
