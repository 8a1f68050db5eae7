/* maintenance.c - maintenance.h */
#include "host/vm/maintenance.h"

#include "base/file.h"
#include "base/problem.h"
#include "host/vm/vault-record.h"

/* Of one page: nothing is read of it. */
#define DISK_SIZE 4096u

static gboolean
find_port (guint16 *ret_port, GError **error)
{
  g_autoptr (GSocket) probe =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error);
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) any = g_inet_socket_address_new (loopback, 0);
  g_autoptr (GSocketAddress) bound = NULL;

  if (probe == NULL || !g_socket_bind (probe, any, FALSE, error) ||
      (bound = g_socket_get_local_address (probe, error)) == NULL)
    return FALSE;
  *ret_port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  return TRUE;
}

gboolean
sp_maintenance_prepare (int folder, guint16 *ret_port, GError **error)
{
  static const guint8 nothing[DISK_SIZE];

  if (sp_file_write_private (folder, SP_VAULT_MAINTENANCE, SP_FILE_REPLACE, nothing, sizeof nothing,
                             error) &&
      find_port (ret_port, error))
    return TRUE;
  g_prefix_error (error, "cannot prepare the maintenance: ");
  return FALSE;
}
